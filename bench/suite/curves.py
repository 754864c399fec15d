"""How cost grows: with connections, body size, workers and URLs; and what a server costs at rest."""

import contextlib
import dataclasses
import statistics
import time
from collections.abc import Callable

from . import load
from .jobs import Column
from .machine import ALL_CPUS, CPUS
from .measure import by_rounds
from .servers import DOCUMENTS

CONNECTIONS = (1, 10, 100, 1000, 10_000)
# And by how many clients at once: enough that none is waited for.
BODIES = {"1k": 16, "16k": 16, "256k": 8, "4m": 4, "64m": 2}
URLS = (1, 10, 100, 1000, 10_000, 100_000)
IDLE_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class Curve:
    """`points(place, names, effort)` gives {x: {server: {metric: median}}}."""

    name: str
    title: str
    question: str
    x: str
    points: Callable
    servers: tuple[str, ...]
    columns: tuple[Column, ...]


def _medians(rounds):
    return {
        server: {
            metric: statistics.median(one[server][metric] for one in rounds) for metric in figures
        }
        for server, figures in rounds[0].items()
    }


def connections(place, names, effort):
    points = {}
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(place.server(name)) for name in names}
        for count in CONNECTIONS:
            # Of ten thousand, the first second is spent on connecting.
            seconds = effort.seconds + (2 if count >= 10_000 else 0)

            def measure(name):
                server = servers[name]
                return load.wrk(server, server.routes.hello, count, seconds)

            points[f"{count:,}"] = _medians(by_rounds(names, effort, measure))
    return points


def body_size(place, names, effort):
    points = {}
    large = {"fetch.max_bytes": 64 << 20, "workers.max_result_bytes": 64 << 20}
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(place.server(name, settings=large)) for name in names}
        for size, clients in BODIES.items():
            kilobytes = (DOCUMENTS / f"{size}.json").stat().st_size / 1000

            def measure(name):
                target = servers[name].routes.fetch.format(url=place.document(f"{size}.json"))
                figures = load.wrk(servers[name], target, clients, effort.seconds)
                figures["mb_per_s"] = figures["rps"] * kilobytes / 1000
                figures["cpu_us_per_kb"] = figures["cpu_us"] / kilobytes
                return figures

            points[size.replace("k", " KB").replace("m", " MB")] = _medians(
                by_rounds(names, effort, measure)
            )
    return points


def workers(place, names, effort):
    points = {}
    for count in range(1, len(CPUS) + 1):
        with contextlib.ExitStack() as stack:
            servers = {
                name: stack.enter_context(place.server(name, ALL_CPUS, workers=count))
                for name in names
            }

            def measure(name):
                target = servers[name].routes.aggregate.format(url=place.document("1m.json"))
                return load.wrk(servers[name], target, 4 * count, effort.seconds)

            points[str(count)] = _medians(by_rounds(names, effort, measure))
    return points


def urls(place, names, effort):
    """Distinct URLs, so that no two share a fetch; a new server for each, so that peaks are its own."""
    points = {}
    for count in URLS:
        lines = [place.document(f"1k.json?n={number}") for number in range(count)]

        def measure(name):
            with place.server(name) as server:
                target = "/v1/batch?op=json.select&pointer=/0/lang"
                load.stream_batch(server, target, lines[:100])
                before, used = server.tree.peak_bytes(), server.tree.cpu_seconds()
                begin = time.perf_counter()
                # CPU time is counted in hundredths of a second: small batches need many of them.
                batches = max(1, 2000 // count)
                for _ in range(batches):
                    load.stream_batch(server, target, lines)
                took = (time.perf_counter() - begin) / batches
                used = server.tree.cpu_seconds() - used
                return {
                    "urls_per_s": count / took,
                    "took_ms": took * 1000,
                    "cpu_us": used * 1e6 / count / batches,
                    "grown_mb": (server.tree.peak_bytes() - before) / 2**20,
                }

        points[f"{count:,}"] = _medians(by_rounds(names, effort, measure))
    return points


def at_rest(place, names, effort):
    """One point: each server started, several times, and left alone."""

    def start(name):
        begin = time.perf_counter()
        with place.server(name):
            return {"start_ms": (time.perf_counter() - begin) * 1000}

    started = _medians(by_rounds(names, effort, start))
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(place.server(name)) for name in names}
        time.sleep(1)  # for what servers still do after they have begun to listen
        memory = {name: server.tree.proportional_bytes() for name, server in servers.items()}
        before = {name: server.tree.wake_ups() for name, server in servers.items()}
        time.sleep(IDLE_SECONDS)
        woken = {name: server.tree.wake_ups() - before[name] for name, server in servers.items()}
    return {
        "": {
            name: {
                **started[name],
                "resident_mb": memory[name] / 2**20,
                "wake_ups": woken[name],
            }
            for name in names
        }
    }


_THROUGHPUT = (
    Column("rps", "requests/s"),
    Column("p99_us", "p99 ms", 1000),
    Column("cpu_us", "server CPU µs/request"),
)

CURVES = (
    Curve(
        "connections",
        "Connections",
        "J1, `GET /healthz`, over 1 to 10,000 connections at once.",
        "connections",
        connections,
        ("fetchmill", "nginx"),
        _THROUGHPUT,
    ),
    Curve(
        "body-size",
        "Body size",
        "J2, fetch-through, of 1 KB to 64 MB. nginx passes on what it has of a body; fetchmill answers "
        "when it has all of it, since only then it knows that it is whole.",
        "body",
        body_size,
        ("fetchmill", "nginx"),
        (
            Column("mb_per_s", "MB/s"),
            Column("p99_us", "p99 ms", 1000),
            Column("cpu_us_per_kb", "server CPU µs/KB"),
        ),
    ),
    Curve(
        "workers",
        "Workers",
        "J3, fetch and aggregate 1 MB, with 1 to as many workers as there are CPUs; load and upstream "
        "share these CPUs.",
        "workers",
        workers,
        ("fetchmill", "node"),
        _THROUGHPUT,
    ),
    Curve(
        "urls",
        "URLs in a batch",
        "One `POST /v1/batch` of 1 to 100,000 URLs of 1 KB each, with `json.select`, 64 at a time.",
        "URLs",
        urls,
        ("fetchmill",),
        (
            Column("urls_per_s", "URLs/s"),
            Column("took_ms", "took ms"),
            Column("cpu_us", "server CPU µs/URL"),
            Column("grown_mb", "memory grown, MB"),
        ),
    ),
    Curve(
        "at-rest",
        "At rest",
        "Started and left alone: time until it answers, memory of all its processes (what they "
        f"share counted once), and how often any of its threads woke up in {IDLE_SECONDS} s.",
        "",
        at_rest,
        ("fetchmill", "nginx", "lua", "go", "node", "aiohttp"),
        (
            Column("start_ms", "start to ready, ms"),
            Column("resident_mb", "memory MB"),
            Column("wake_ups", f"wake-ups in {IDLE_SECONDS} s"),
        ),
    ),
)
