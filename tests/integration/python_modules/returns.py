"""What process may return; `what` says which."""

RESULTS = {
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"ab"),
    "str": "grün",
    "dict": {"a": [1, 2.5, None, True], "ü": "\u2028"},
    "list": [],
    "tuple": (1, "b"),
    "int": 2**70,
    "float": 0.1,
    "bool": False,
    "none": None,
    "nan": [float("nan")],
    "set": {1},
    "surrogate": "\ud800",
    "surrogate_inside": ["\ud800"],
    "large": "x" * 1000,
}
RESULTS["cycle"] = [RESULTS]
RESULTS["self"] = cycle = []
cycle.append(cycle)


def process(body, *, what: str):
    if what == "body":
        return body
    if what == "part":
        return body[1:-1]
    if what == "stride":
        return body[::2]
    return RESULTS[what]
