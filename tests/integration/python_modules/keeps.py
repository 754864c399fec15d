"""Keeps what it must not, and tells what it can still see the next time."""

import os

kept = []


class Cycle:
    pass


def process(body: memoryview, *, how: str):
    before = []
    for view in kept:
        try:
            before.append(bytes(view).decode())
        except ValueError as error:
            before.append(f"ValueError: {error}")
    if how == "view":
        kept.append(body)
    elif how == "owner":
        kept.append(body.obj)
    elif how == "slice":
        kept.append(body[1:])
    elif how == "cycle":
        cycle = Cycle()
        cycle.itself, cycle.view = cycle, body[1:]
    elif how == "exception":
        try:
            raise ValueError("x")
        except ValueError as error:
            kept.append(error)
        slice_of_body = body[1:]
        return [os.getpid(), before, len(slice_of_body)]
    elif how == "raise":
        kept.append(body[1:])
        raise ValueError("and fails")
    return [os.getpid(), before]
