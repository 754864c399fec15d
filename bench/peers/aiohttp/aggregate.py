"""What runs in the process pool."""

import json


def aggregate(body, value="score", group_by="lang"):
    rows = json.loads(body)
    total = 0.0
    groups = {}
    for row in rows:
        group = groups.setdefault(row[group_by], [0, 0.0])
        group[0] += 1
        group[1] += row[value]
        total += row[value]
    return {"count": len(rows), "sum": total, "mean": total / len(rows), "groups": groups}


def burn(iterations):
    result = 0
    for i in range(iterations):
        result += i * i
    return result
