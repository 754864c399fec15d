from collections.abc import Mapping


def process(body: memoryview, params: Mapping, limit: int = 3):
    seen = dict(params), limit
    params["changed"] = True
    return seen
