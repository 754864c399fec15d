"""How long GET /healthz takes while the pool is saturated with CPU work, against an idle pool.

    saturation.py [--rounds N] [--seconds N] [--probe-cpu N]

The server, its worker, the probe and the clients that saturate the pool share one CPU, unless
--probe-cpu gives the probe one of its own. The scheduling classes of workers are compared in
interleaved rounds. Binaries: as for tests/integration; the probe's is PROBE_BIN.
"""

import argparse
import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))

import processes  # noqa: E402
from harness import Fetchmill  # noqa: E402

PROBE_BIN = os.environ.get("PROBE_BIN", str(ROOT / "build/release/bench/latency_probe"))
CLASSES = ("idle", "normal")
CLIENTS = 4  # outstanding tasks: one runs, the others wait
ITERATIONS = 50_000_000  # some 50 ms a task
REQUESTS_PER_SECOND = 500


class Saturation:
    """Keeps CLIENTS tasks in the pool for as long as it is open."""

    def __init__(self, server):
        self._server = server
        self._over = threading.Event()
        self._failures = []
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def _run(self):
        target = f"/v1/process?op=cpu.loop&iterations={ITERATIONS}"
        with self._server.raw() as client:
            while not self._over.is_set():
                client.send_request("POST", target, b"x")
                response = client.read_response()
                if response.status != 200:
                    self._failures.append(response)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        processes.eventually(
            lambda: self._server.metrics().value("workers", state="busy"), "a worker is busy"
        )

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise AssertionError(f"{len(self._failures)} tasks failed: {self._failures[0]}")


def probe(server, arguments):
    """(p50, p99, max) in µs."""
    command = [PROBE_BIN, server.address[1], "/healthz", REQUESTS_PER_SECOND, arguments.seconds]
    if arguments.probe_cpu is not None:
        command = ["taskset", "-c", arguments.probe_cpu, *command]
    output = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, text=True, check=True)
    return tuple(map(float, output.stdout.split()[:3]))


def measure(server, arguments):
    calm = probe(server, arguments)
    with Saturation(server):
        return calm, probe(server, arguments)


def main():
    arguments = parse_arguments()
    cpu = min(os.sched_getaffinity(0))
    # What is started from here on inherits it.
    os.sched_setaffinity(0, {cpu})
    figures = {name: [] for name in CLASSES}
    with contextlib.ExitStack() as servers:
        started = {
            name: servers.enter_context(
                Fetchmill({"workers.count": 1, "workers.scheduling": name})
            )
            for name in CLASSES
        }
        for _ in range(arguments.rounds):
            for name, server in started.items():
                figures[name].append(measure(server, arguments))
    where = "on it too" if arguments.probe_cpu is None else f"on CPU {arguments.probe_cpu}"
    print(
        f"server and one worker on CPU {cpu}, probe {where}; {CLIENTS} tasks of cpu.loop "
        f"outstanding; medians of {arguments.rounds} rounds, µs"
    )
    print("workers.scheduling   idle pool: p50   p99     busy: p50   p99   max   ratio of p99")
    for name in CLASSES:
        print_row(name, figures[name])


def print_row(name, rounds):
    calm_p50, calm_p99, _ = map(statistics.median, zip(*(calm for calm, _ in rounds)))
    busy_p50, busy_p99, busy_max = map(statistics.median, zip(*(busy for _, busy in rounds)))
    ratios = [busy[1] / calm[1] for calm, busy in rounds]
    print(
        f"{name:18} {calm_p50:16.0f} {calm_p99:5.0f} {busy_p50:13.0f} {busy_p99:5.0f} "
        f"{busy_max:5.0f}   {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    )


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--probe-cpu", type=int)
    return parser.parse_args()


if __name__ == "__main__":
    main()
