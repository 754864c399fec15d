"""What one call of a Python function costs in another process: as py.* op, and in a ProcessPoolExecutor.

    python_ops.py [--calls N] [--rounds N]

One worker each, warm, one call after the other. The op's figure has the whole HTTP exchange of a client
on this machine in it; the executor's has the pickled body through a pipe. Binaries: as for
tests/integration.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))

from harness import Fetchmill  # noqa: E402

SIZES = {"100 B": 100, "100 KB": 100_000, "1 MB": 1_000_000, "10 MB": 10_000_000}
MODULE = "import zlib\n\n\ndef process(body):\n    return zlib.crc32(body)\n"
FUNCTION = {}
exec(MODULE, FUNCTION)


def process(body):
    return FUNCTION["process"](body)


def microseconds(call, calls):
    """A call's, of the median."""
    took = []
    for _ in range(calls):
        begin = time.perf_counter_ns()
        call()
        took.append(time.perf_counter_ns() - begin)
    return statistics.median(took) / 1000


def op_call(client, body):
    client.send_request("POST", "/v1/process?op=py.checksum", body)
    response = client.read_response()
    assert response.json() == process(body), response


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    figures = {name: ([], [], []) for name in SIZES}
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1) as pool:
        (pathlib.Path(folder) / "checksum.py").write_text(MODULE)
        with Fetchmill({"workers.count": 1, "python.modules": folder}) as server:
            with server.raw() as client:
                for _ in range(arguments.rounds):
                    for name, size in SIZES.items():
                        body = bytes(size)
                        calls = max(5, min(arguments.calls, 100_000_000 // size))
                        here, op, executor = figures[name]
                        here.append(microseconds(lambda: process(body), calls))
                        op.append(microseconds(lambda: op_call(client, body), calls))
                        executor.append(
                            microseconds(lambda: pool.submit(process, body).result(), calls)
                        )
    print(f"crc32 of the body; medians of {arguments.rounds} rounds, µs a call")
    print("body     in-process   py op, by HTTP   ProcessPoolExecutor   ratio of these")
    for name, rounds in figures.items():
        here, op, executor = map(statistics.median, rounds)
        print(f"{name:8} {here:10.0f} {op:16.0f} {executor:21.0f}   {executor / op:.2f}")


if __name__ == "__main__":
    main()
