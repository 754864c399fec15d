def process_data(data):
    result = 0
    for i in range(1000):
        result += i * len(data)
    return result


process = process_data
