"""The jobs: what each asks, of whom, and by which figure it is judged. One table.

To add one: a function in measure.py, and its entry here.
"""

import dataclasses
from collections.abc import Callable

from . import measure
from .servers import PEERS


@dataclasses.dataclass(frozen=True)
class Column:
    """A figure of the tables: `metric ÷ unit` under that heading."""

    metric: str
    heading: str
    unit: float = 1


@dataclasses.dataclass(frozen=True)
class Goal:
    """What we want to reach: of the reference's figure, or of the figure itself."""

    metric: str
    limit: float
    at_most: bool = True
    of_reference: bool = True

    def met_by(self, value):
        return value <= self.limit if self.at_most else value >= self.limit


@dataclasses.dataclass(frozen=True)
class Job:
    name: str
    title: str
    question: str
    measure: Callable
    servers: tuple[str, ...]  # the first is ours, the one the goals are about
    reference: str
    judge: str  # the metric that decides
    judge_name: str
    columns: tuple[Column, ...]
    goals: tuple[Goal, ...]
    lower_is_better: bool = True
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    quick_rounds: int = 1

    @property
    def has_peers(self):
        return not self.reference.startswith("fetchmill")

    def label(self, server):
        return self.labels.get(server) or PEERS[server].label


_THROUGHPUT = (
    Column("rps", "requests/s"),
    Column("p50_us", "p50 ms", 1000),
    Column("p99_us", "p99 ms", 1000),
    Column("cpu_us", "server CPU µs/request"),
)
_PIPELINED = (_THROUGHPUT[0], Column("max_us", "longest ms", 1000), _THROUGHPUT[-1])
_WEB = ("fetchmill", "nginx", "lua", "go", "node", "aiohttp")
_POOLS = ("fetchmill", "node", "lua", "go", "aiohttp")

JOBS = (
    Job(
        "J1",
        "Hello",
        "`GET /healthz`, keep-alive, 64 connections. The load generator is slower than the "
        "fastest servers, so what decides is the server's CPU for each request. fetchmill gives each "
        "request an id, a deadline and its place in the metrics; nginx logs nothing here.",
        measure.hello,
        _WEB,
        "nginx",
        "cpu_us",
        "server CPU per request",
        _THROUGHPUT,
        (Goal("cpu_us", 0.95), Goal("rps", 1.0, at_most=False)),
        quick_rounds=2,
    ),
    Job(
        "J1-pipelined",
        "Hello, 16 requests in one write",
        "The same, pipelined: a client sends 16 requests at once and reads 16 answers. fetchmill "
        "writes the answers in one piece. The load generator tells only the longest time from 16 requests "
        "to their last answer.",
        measure.hello_pipelined,
        _WEB,
        "nginx",
        "rps",
        "requests per second",
        _PIPELINED,
        (Goal("rps", 5.0, at_most=False),),
        lower_is_better=False,
    ),
    Job(
        "J2",
        "Fetch-through",
        "Fetch a document of 1 KB over kept connections to the upstream and return it, 64 "
        "connections. The upstream's own count shows that each answer was fetched. nginx is told its "
        "upstream in its configuration; the others, and fetchmill with its checks of URL and address, "
        "by the client. What decides is the server's CPU for each request.",
        measure.fetch_through,
        _WEB,
        "nginx",
        "cpu_us",
        "server CPU per request",
        _THROUGHPUT,
        (Goal("cpu_us", 0.95), Goal("rps", 0.95, at_most=False)),
        quick_rounds=2,
    ),
    *(
        Job(
            name,
            f"Fetch and aggregate, {size}",
            f"Fetch {size} of JSON, and answer the count, sum and mean of one field, grouped by "
            "another; 8 connections, both CPUs shared by all. One worker each: a process (fetchmill, "
            "aiohttp) or a thread (Node); Go and nginx + Lua do it in their own process.",
            measure.fetch_and_aggregate(document),
            _POOLS,
            "node",
            "rps",
            "requests per second",
            _THROUGHPUT,
            (Goal("rps", goal, at_most=False),),
            lower_is_better=False,
            quick_rounds=quick_rounds,
        )
        for name, size, document, goal, quick_rounds in (
            ("J3-100k", "100 KB", "100k.json", 12.0, 2),
            ("J3-1m", "1 MB", "1m.json", 10.5, 1),
        )
    ),
    Job(
        "J4",
        "Fan-out",
        "One call with 1,000 URLs that each take a second. A perfect server takes a second; what "
        "decides is the time beyond that, connecting included.",
        measure.fan_out,
        ("fetchmill", "lua", "go", "aiohttp", "node"),
        "lua",
        "overhead_ms",
        "time beyond the second",
        (
            Column("overhead_ms", "beyond 1 s, ms"),
            Column("cpu_ms", "server CPU ms"),
            Column("kb_per_url", "peak memory KB/URL"),
        ),
        (Goal("overhead_ms", 0.93), Goal("kb_per_url", 6.0, of_reference=False)),
    ),
    Job(
        "J5",
        "Tiny tasks in the pool",
        "10,000 tasks that do next to nothing, handed over one by one; the cost of one. "
        "`Pool.map` hands over its own chunks of many. Processes, but for piscina's thread and Go's "
        "goroutine, which protect nobody. Bare rings are two processes with plain shared memory: the "
        "least it can cost.",
        measure.tiny_tasks,
        (
            "fetchmill",
            "bare-rings",
            "pool-map",
            "pool-imap",
            "executor-map",
            "piscina",
            "go-channel",
        ),
        "pool-map",
        "task_ns",
        "time per task",
        (Column("task_ns", "ns/task"),),
        # Where the first was set, Pool.map needed 147 ns: on other machines the second is the same.
        (Goal("task_ns", 100, of_reference=False), Goal("task_ns", 0.68)),
        labels={
            "bare-rings": "bare rings",
            "pool-map": "Python's Pool.map",
            "pool-imap": "Python's Pool.imap",
            "executor-map": "ProcessPoolExecutor.map",
            "piscina": "piscina (a thread)",
            "go-channel": "Go channel (a goroutine)",
        },
    ),
    Job(
        "J5-batch",
        "Tiny tasks in one batch",
        "One `POST /v1/batch` of 10,000 URLs whose document of a few bytes is in the cache, with "
        "`json.minify` and without any op, which gives the same: reading lines, asking the cache, the "
        "pool, writing outcomes. The goal is about the difference, which is what a visit to a worker "
        "adds. Client and server share all CPUs.",
        measure.tiny_batch,
        ("fetchmill", "fetchmill-no-op"),
        "fetchmill-no-op",
        "task_us",
        "time per task",
        (
            Column("task_us", "µs/task"),
            Column("cpu_us", "server CPU µs/task"),
            Column("beyond_us", "beyond no op, µs/task"),
        ),
        (Goal("beyond_us", 2.0, of_reference=False),),
        labels={"fetchmill": "with `json.minify`", "fetchmill-no-op": "without an op"},
    ),
    Job(
        "J6",
        "Isolation",
        "p99 of hello at 500 requests/s while the pool is saturated with CPU work, divided by p99 with an idle "
        "pool: medians of five turns of each. All of the server shares one CPU, clients have the other, "
        "where those that keep the pool busy never hold up the probe. Idle scheduling is for "
        "machines that do nothing else, and the goal is about it; the default is beside it.",
        measure.isolation,
        ("fetchmill-idle", "fetchmill", "node", "aiohttp", "go"),
        "node",
        "slowdown",
        "slowdown",
        (
            Column("calm_p99_us", "idle pool: p99 µs"),
            Column("busy_p50_us", "busy pool: p50 µs"),
            Column("busy_p99_us", "p99 µs"),
            Column("busy_max_us", "max µs"),
            Column("slowdown", "slowdown"),
        ),
        (Goal("slowdown", 1.2, of_reference=False),),
        labels={"fetchmill-idle": "fetchmill, idle scheduling", "fetchmill": "fetchmill, by default"},
    ),
    Job(
        "J7",
        "Idle connections",
        "Resident memory for each of 5,000 idle keep-alive connections that have been served once.",
        measure.idle_memory,
        _WEB,
        "nginx",
        "bytes",
        "memory per connection",
        (Column("bytes", "bytes/connection"), Column("resident_mb", "without them, MB")),
        (Goal("bytes", 1.0),),
    ),
    Job(
        "J8",
        "JSON",
        "The aggregation of J3 on 1 MB in memory, as a worker runs it, against a hand-written loop of "
        "simdjson On-Demand on the same bytes, and against what the peers use. `validate` checks "
        "all of the document, as the peers' parsers do; simdjson's loop and the default what they visit.",
        measure.json_speed,
        ("fetchmill", "simdjson", "fetchmill-validate", "node", "go", "aiohttp"),
        "simdjson",
        "gb_per_s",
        "bytes per second",
        (Column("gb_per_s", "GB/s"),),
        (Goal("gb_per_s", 0.9, at_most=False),),
        lower_is_better=False,
        labels={
            "fetchmill": "fetchmill, `json.aggregate`",
            "fetchmill-validate": "fetchmill, `validate`",
            "simdjson": "simdjson On-Demand by hand",
            "node": "JSON.parse of Node",
            "go": "encoding/json of Go",
            "aiohttp": "json of Python",
        },
    ),
)
