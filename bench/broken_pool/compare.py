"""The same work, twice, and in both a worker is killed by SIGKILL midway: what is lost?

    compare.py [--tasks N] [--kill-after N]

Theirs is theirs.py: aiohttp and a ProcessPoolExecutor. Ours is one POST /v1/batch. Both fetch the
same bodies from one local origin and compute the same function of each with two workers; the
kill comes with the same result. Every result is checked. Ends with 1 if ours lost anything or
replaced no worker.

Binaries: as for tests/integration.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

import processes  # noqa: E402
from harness import Fetchmill  # noqa: E402
from upstreams import Origin  # noqa: E402

WORKERS = 2
ITERATIONS = 300_000


def expected(body_bytes):
    return body_bytes * (ITERATIONS * (ITERATIONS - 1) // 2) % 2**64


def run_theirs(urls, kill_after):
    given = {"urls": urls, "iterations": ITERATIONS, "workers": WORKERS, "kill_after": kill_after}
    child = subprocess.run(
        [sys.executable, str(pathlib.Path(__file__).with_name("theirs.py"))],
        input=json.dumps(given),
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(child.stdout)


def kill_one(server):
    """The worker that has worked most: it works now."""
    workers = server.workers()
    os.kill(max(workers, key=processes.cpu_seconds), signal.SIGKILL)


def run_ours(urls, kill_after):
    pipeline = [{"op": "cpu.loop", "iterations": ITERATIONS}]
    tasks = [{"url": url, "pipeline": pipeline} for url in urls]
    results = [None] * len(urls)
    with Fetchmill({"workers.count": WORKERS}) as server:
        begin = time.monotonic()
        lines = post_batch(server, tasks)
        for done, outcome in enumerate(lines, start=1):
            results[outcome["index"]] = outcome.get("result")
            if done == kill_after:
                kill_one(server)
        elapsed = time.monotonic() - begin
        afterwards = server.batch(tasks[:1]).outcomes[0]
        # SIGKILL comes from outside: of the reasons it has one of its own.
        replaced = processes.eventually(
            lambda: server.metrics().value("worker_restarts_total", reason="killed"),
            "the killed worker is replaced",
        )
    return {
        "elapsed_s": elapsed,
        "results": results,
        "replaced": replaced,
        "usable_afterwards": "result" in afterwards,
    }


def post_batch(server, tasks):
    """The outcomes as they come."""
    with server.raw() as client:
        body = json.dumps({"tasks": tasks}).encode()
        client.send_request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
        client.read_until(b"\r\n\r\n")
        rest = b""
        while chunk := client.read_chunk():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (json.loads(line) for line in lines if b'"type":"summary"' not in line)


def report(name, run, sizes):
    right = sum(result == expected(size) for result, size in zip(run["results"], sizes))
    wrong = sum(result is not None for result in run["results"]) - right
    lost = len(sizes) - right - wrong
    how = f", {run['broken']} of them by BrokenProcessPool" if lost and "broken" in run else ""
    print(f"{name}: {right} of {len(sizes)} results, {wrong} wrong, {lost} lost{how}")
    print(f"  afterwards the pool is {'whole' if run['usable_afterwards'] else 'broken for good'}")
    if "replaced" in run:
        print(f"  workers killed and replaced: {run['replaced']:.0f}")
    print(f"  in {run['elapsed_s']:.2f} s")
    return wrong + lost == 0 and run["usable_afterwards"]


def main():
    arguments = parse_arguments()
    sizes = [1000 + number for number in range(arguments.tasks)]
    with Origin() as origin:
        urls = [origin.url(f"/bytes?n={size}") for size in sizes]
        theirs = run_theirs(urls, arguments.kill_after)
        ours = run_ours(urls, arguments.kill_after)
    print(
        f"{len(urls)} URLs, {WORKERS} workers, "
        f"one killed by SIGKILL at result {arguments.kill_after}\n"
    )
    report("aiohttp and ProcessPoolExecutor", theirs, sizes)
    whole = report("fetchmill", ours, sizes)
    sys.exit(0 if whole else 1)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=600)
    parser.add_argument("--kill-after", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":
    main()
