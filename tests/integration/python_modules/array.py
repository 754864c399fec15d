"""Has the name of a module of the standard library, which it does not shadow."""

import array as of_the_standard_library

import numpy

kept = []


def process(body: memoryview, *, keep: bool = False) -> dict:
    values = numpy.frombuffer(body, dtype=numpy.uint8)
    if keep:
        kept.append(values)
    return {
        "sum": int(values.sum()),
        "copied": bool(values.flags.owndata),
        "writeable": bool(values.flags.writeable),
        "standard": hasattr(of_the_standard_library, "ArrayType"),
    }
