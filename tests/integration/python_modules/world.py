"""What of the world outside can be reached."""

import concurrent.futures
import glob
import importlib
import os
import random
import socket
import subprocess
import sys

import _helper

IMPORTED_BY = os.getpid()


def attempt(function, *arguments):
    try:
        return f"did: {function(*arguments)!r}"
    except BaseException as error:
        return type(error).__name__


def process(body: memoryview, *, what: str):
    if what == "pids":
        return [IMPORTED_BY, os.getpid(), os.getppid()]
    if what == "environment":
        return dict(os.environ)
    if what == "random":
        return random.random()
    if what == "helper":
        return _helper.shout("helped")
    if what == "helper_fails":
        return _helper.shout(1)
    if what == "threads":
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(len, [body[:i] for i in range(5)]))
    if what == "prints":
        print("to standard output", flush=True)
        print("to standard error", file=sys.stderr)
        sys.stdout.buffer.write(b"bytes")
        os.system("true")
        return [sys.stdin.read(), sys.stdout.isatty()]
    if what == "late_import":
        import antigravity  # noqa: F401
    if what == "late_file":
        open("/etc/passwd")
    if what == "lazy":
        import _strptime  # noqa: F401
        import datetime
        import json
        import xml.etree.ElementTree

        return [
            datetime.datetime.strptime("2026-11-29", "%Y-%m-%d").year,
            "ä".encode("shift_jis", "replace").decode("latin-1"),
            "ö".encode("cp1252").decode("iso8859_15"),
            "bücher.example".encode("idna").decode(),
            xml.etree.ElementTree.fromstring("<a>b</a>").text,
            importlib.import_module("hashlib").sha256(b"").hexdigest()[:8],
            json.loads("1"),
        ]
    return {
        "open": attempt(open, "/etc/passwd"),
        "own source": attempt(open, __file__),
        "write": attempt(open, "/tmp/fetchmill-was-here", "w"),
        "list": attempt(os.listdir, "/"),
        "glob": glob.glob("/*"),
        "socket": attempt(socket.socket),
        "name": attempt(socket.getaddrinfo, "localhost", 80),
        "system": attempt(os.system, "true"),
        "subprocess": attempt(subprocess.run, ["/bin/true"]),
        "fork": attempt(os.fork),
        "pipe": attempt(os.pipe),
        "stdin": attempt(os.read, 0, 1),
        "stdout": attempt(os.write, 1, b"x"),
    }
