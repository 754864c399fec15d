"""Everything that ends a task, or would end more than that."""

import ctypes
import os
import sys
import threading


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("not even that")


def deep(n):
    return deep(n + 1)


def process(body: memoryview, params: dict):
    how = params["how"]
    if how == "raise":
        raise ValueError("no price in " + str(bytes(body)))
    if how == "chain":
        try:
            return {}["price"]
        except KeyError as error:
            raise RuntimeError("cannot go on") from error
    if how == "long":
        raise ValueError("x" * 10_000_000)
    if how == "surrogate":
        raise ValueError("\ud800")
    if how == "unprintable":
        raise Unprintable
    if how == "write":
        body[0] = 1
    if how == "sys.exit":
        sys.exit("enough")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "recursion":
        deep(0)
    if how == "allocation":
        bytearray(1 << 60)
    if how == "os._exit":
        os._exit(0)
    if how == "segfault":
        ctypes.string_at(1)
    if how == "abort":
        os.abort()
    if how == "loop":
        while True:
            pass
    if how == "balloon":
        kept = []
        while True:
            kept.append(bytearray(b"x" * 1_000_000))
    if how == "thread":
        threading.Thread(target=deep, args=(0,)).start()
    return "survived"
