"""How each job is measured: round by round, every server once a round, in rotating order.

Each function gives rounds, {server: {metric: value}} each. A server that starts and stops in a job
does so in every round; the others all live as long as the job does, and idle while it is not
their turn.
"""

import contextlib
import dataclasses
import re
import statistics
import subprocess
import sys
import time

from . import load
from .machine import ALL_CPUS, SERVER_CPU
from .servers import DOCUMENTS, GO_PEER, NODE_MODULES, PEERS_FOLDER
from .stats import rotated


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long to look."""

    rounds: int
    seconds: int  # of load, for each server in each round


def by_rounds(names, effort, measure):
    """The rounds of `measure(name)`."""
    rounds = []
    for number in range(effort.rounds):
        rounds.append({name: measure(name) for name in rotated(names, number)})
        print(f"  round {number + 1} of {effort.rounds}", file=sys.stderr, flush=True)
    return rounds


def throughput(place, names, effort, target, *, connections, pipelined=False, cpus=SERVER_CPU):
    """`target(server)` asked for by wrk."""
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(place.server(name, cpus)) for name in names}
        load.warm_up([(server, target(server)) for server in servers.values()])
        return by_rounds(
            names,
            effort,
            lambda name: load.wrk(
                servers[name], target(servers[name]), connections, effort.seconds, pipelined
            ),
        )


def hello(place, names, effort):
    return throughput(place, names, effort, lambda s: s.routes.hello, connections=64)


def hello_pipelined(place, names, effort):
    return throughput(
        place, names, effort, lambda s: s.routes.hello, connections=64, pipelined=True
    )


def fetch_through(place, names, effort):
    """As wrk, and proof that nobody answered without asking the upstream."""
    url = place.document("1k.json")
    served = place.requests_served()
    rounds = throughput(
        place, names, effort, lambda s: s.routes.fetch.format(url=url), connections=64
    )
    answered = sum(figures["requests"] for one in rounds for figures in one.values())
    if place.requests_served() - served < answered:
        raise load.LoadFailed(f"{answered} answers, but fewer requests to the upstream")
    return rounds


def fetch_and_aggregate(document):
    def measure(place, names, effort):
        url = place.document(document)
        return throughput(
            place,
            names,
            effort,
            lambda s: s.routes.aggregate.format(url=url),
            connections=8,
            cpus=ALL_CPUS,
        )

    return measure


FAN_OUT = 1000


def fan_out(place, names, effort):
    """A server is started for each round: connections are made, and memory is at its first peak."""
    urls = [place.delayed(1000, number) for number in range(FAN_OUT)]

    def measure(name):
        with place.server(name) as server:
            before, used = server.tree.peak_bytes(), server.tree.cpu_seconds()
            took = load.fan_out(server, urls)
            return {
                "overhead_ms": (took - 1) * 1e3,
                "cpu_ms": (server.tree.cpu_seconds() - used) * 1e3,
                "kb_per_url": (server.tree.peak_bytes() - before) / 1024 / FAN_OUT,
            }

    return by_rounds(names, effort, measure)


TINY_TASKS = 10_000
# Their rows in what the programs print.
_TINY_ROWS = {
    "fetchmill": "pool, 1 worker",
    "bare-rings": "bare rings, 1 worker",
    "pool-map": "Pool.map, its own chunks",
    "pool-imap": "Pool.imap, one by one",
    "executor-map": "ProcessPoolExecutor.map",
    "piscina": "piscina",
    "go-channel": "Go channel",
}


def tiny_tasks(place, names, effort):
    """micro_pool has our pool and Python's; programs of their own have the others."""
    own = ["taskset", "-c", ALL_CPUS, f"{load.PROGRAMS}/micro_pool", str(TINY_TASKS), "1"]
    node = ["taskset", "-c", ALL_CPUS, "env", f"NODE_PATH={NODE_MODULES}", "node"]
    node += [PEERS_FOLDER / "node/tiny_tasks.js", TINY_TASKS]
    go = ["taskset", "-c", ALL_CPUS, GO_PEER, "tiny", TINY_TASKS]
    rounds = []
    for _ in range(effort.rounds):
        printed = subprocess.run(own, capture_output=True, text=True, check=True).stdout
        rows = re.findall(r"^(\S.*?)\s{2,}(\d+)  ", printed, re.MULTILINE)
        found = {name: float(value) for name, value in rows}
        found |= load.figures_of(node) if "piscina" in names else {}
        found |= load.figures_of(go) if "go-channel" in names else {}
        rounds.append({name: {"task_ns": found[_TINY_ROWS[name]]} for name in names})
    return rounds


def tiny_batch(place, names, effort):
    """10,000 URLs in one call, all in the cache: what is left is ours."""
    url = place.document("cached/tiny.json")
    target = {
        "fetchmill": "/v1/batch?concurrency=1000&op=json.minify",
        "fetchmill-no-op": "/v1/batch?concurrency=1000",
    }
    with place.server("fetchmill", ALL_CPUS) as server:

        def measure(name):
            used, begin = server.tree.cpu_seconds(), time.perf_counter()
            load.stream_batch(server, target[name], [url] * TINY_TASKS)
            took = time.perf_counter() - begin
            used = server.tree.cpu_seconds() - used
            return {"task_us": took * 1e6 / TINY_TASKS, "cpu_us": used * 1e6 / TINY_TASKS}

        for name in names:
            measure(name)
        rounds = by_rounds(names, effort, measure)
    for one in rounds:
        if len(one) == 2:
            beyond = one["fetchmill"]["task_us"] - one["fetchmill-no-op"]["task_us"]
            one["fetchmill"]["beyond_us"] = beyond
    return rounds


# Of an idle and of a busy pool. A machine that is busy otherwise for a moment, or its host, makes one
# p99 many times what it is: the median of several does not see it.
ISOLATION_TURNS = 5


def isolation(place, names, effort):
    """The server's processes share one CPU; the clients have another."""
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(place.server(name)) for name in names}
        saturations = {name: load.Saturation(server) for name, server in servers.items()}
        for server in servers.values():
            load.probe(server, 0.2)

        def measure(name):
            calm, busy = [], []
            for _ in range(ISOLATION_TURNS):
                calm.append(load.probe(servers[name], effort.seconds / 2))
                with saturations[name].running():
                    busy.append(load.probe(servers[name], effort.seconds / 2))
            calm_p99 = statistics.median(one["p99_us"] for one in calm)
            busy_p99 = statistics.median(one["p99_us"] for one in busy)
            return {
                "calm_p99_us": calm_p99,
                "busy_p50_us": statistics.median(one["p50_us"] for one in busy),
                "busy_p99_us": busy_p99,
                "busy_max_us": max(one["max_us"] for one in busy),
                "slowdown": busy_p99 / calm_p99,
            }

        return by_rounds(names, effort, measure)


IDLE_CONNECTIONS = 5000


def idle_memory(place, names, effort):
    """A server is started for each round, and has had a hundred connections before."""

    def measure(name):
        with place.server(name) as server:
            with load.idle_connections(server, 100):
                pass
            before = server.tree.resident_bytes()
            with load.idle_connections(server, IDLE_CONNECTIONS):
                time.sleep(0.5)  # for what a server puts off until it has nothing to do
                grown = server.tree.resident_bytes() - before
        # Memory comes in pages: less than a byte a connection cannot be told from nothing.
        return {
            "bytes": max(1.0, grown / IDLE_CONNECTIONS),
            "resident_mb": before / 2**20,
        }

    return by_rounds(names, effort, measure)


def json_speed(place, names, effort):
    """Each on one CPU, the others idle; micro_json has simdjson beside the op."""
    document = DOCUMENTS / "1m.json"
    on_cpu = ["taskset", "-c", SERVER_CPU]
    commands = {
        "node": ["node", PEERS_FOLDER / "node/json_speed.js", document],
        "go": [GO_PEER, "json", document],
        "aiohttp": ["/usr/bin/python3", "-B", PEERS_FOLDER / "aiohttp/json_speed.py", document],
    }

    def measure_own():
        command = [*on_cpu, f"{load.PROGRAMS}/micro_json", str(document)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = re.findall(r"bytes  (.+?)\s+([\d.]+) GB/s", printed)
        found = {name: {"gb_per_s": float(value)} for name, value in found}
        return {
            "simdjson": found["simdjson On-Demand by hand"],
            "fetchmill": found["json.aggregate"],
            "fetchmill-validate": found["json.aggregate, validate"],
        }

    rounds = []
    for _ in range(effort.rounds):
        one = measure_own()
        for name in names:
            if name in commands:
                (speed,) = load.figures_of([*on_cpu, *commands[name]]).values()
                one[name] = {"gb_per_s": speed}
        rounds.append({name: one[name] for name in names})
    return rounds
