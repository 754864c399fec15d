"""Clients: wrk for throughput, many idle connections, a probe, batches, and work for the pool."""

import contextlib
import json
import os
import re
import socket
import subprocess
import threading
import time

from http_client import HttpConnection
from upstreams import ROOT

from .machine import ALL_CPUS, LOAD_CPU

PROGRAMS = os.environ.get("FETCHMILL_BENCH_PROGRAMS", str(ROOT / "build/release/bench"))
PIPELINE = ROOT / "bench/suite/pipeline.lua"
_MICROSECONDS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}


class LoadFailed(Exception):
    """A server did not do what is measured, so there is no figure."""


def wrk(server, target, connections, seconds, pipelined=False):
    """Requests as fast as they are answered: {rps, p50_us, p99_us, max_us, cpu_us, requests}.

    wrk adds to its latencies what requests would have waited that a slow answer held back. That
    spoils the percentiles of pipelined requests, so there are none of these.
    """
    command = ["taskset", "-c", LOAD_CPU, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["--latency", "--timeout", "30s"]
    command += ["-s", PIPELINE] if pipelined else []
    before = server.tree.cpu_seconds()
    output = subprocess.run(
        [*map(str, command), server.url(target)], capture_output=True, text=True, check=True
    ).stdout
    used = server.tree.cpu_seconds() - before
    if "Non-2xx" in output or "Socket errors" in output or " 0 requests in" in output:
        raise LoadFailed(f"{server.name}, {target}:\n{output}")
    requests = int(re.search(r"(\d+) requests in", output)[1])
    figures = {
        "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]),
        "max_us": _time(output, r"Latency +\S+ +\S+ +"),
        "cpu_us": used * 1e6 / requests,
        "requests": requests,
    }
    if not pipelined:
        figures |= {"p50_us": _time(output, r"\n +50% +"), "p99_us": _time(output, r"\n +99% +")}
    return figures


def _time(output, before):
    """The time that stands behind that in what wrk prints, in µs."""
    value, unit = re.search(before + r"([\d.]+)(us|ms|s|m)\b", output).groups()
    return float(value) * _MICROSECONDS[unit]


def warm_up(requests):
    """For compilers that wait for hot code, connections to upstreams, pages: (server, target) each.

    All at once, since none of it is measured.
    """
    command = ["taskset", "-c", ALL_CPUS, "wrk", "-t1", "-c8", "-d1s"]
    clients = [
        subprocess.Popen([*command, server.url(target)], stdout=subprocess.DEVNULL)
        for server, target in requests
    ]
    for client in clients:
        client.wait()


@contextlib.contextmanager
def idle_connections(server, count):
    """Connections that have been answered once, and are kept open."""
    request = f"GET {server.routes.hello} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with contextlib.ExitStack() as held:
        for _ in range(count):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(request)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                raise LoadFailed(f"{server.name}: no answer for an idle connection")
        yield


def post(server, target, body, headers=None):
    """The response to one request on a connection of its own."""
    with HttpConnection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.send_request("POST", target, body, headers)
        return connection.read_response()


def fan_out(server, urls):
    """One call that fetches all of them at once; seconds until its last byte."""
    own = server.name.startswith("fetchmill")
    task = {"tasks": [{"url": url} for url in urls], "concurrency": len(urls)} if own else urls
    body = json.dumps(task).encode()
    begin = time.perf_counter()
    response = post(server, server.routes.batch, body, {"Content-Type": "application/json"})
    took = time.perf_counter() - begin
    if own:
        good = response.body.count(b'{"type":"result"')
    else:
        good = sum(one.get("status") == 200 for one in response.json())
    if good != len(urls):
        raise LoadFailed(f"{server.name}: {good} of {len(urls)} URLs")
    return took


def stream_batch(server, target, lines):
    """POST of a text/plain batch, written and read at once; its summary."""
    body = b"".join(line.encode() + b"\n" for line in lines)
    head = (
        f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        writer = threading.Thread(target=connection.sendall, args=(head.encode() + body,))
        writer.start()
        tail = b""
        while piece := connection.recv(1 << 20):
            tail = (tail + piece)[-4096:]
        writer.join()
    found = re.search(rb'\{"type":"summary".*\}', tail)
    summary = json.loads(found[0]) if found else {}
    if summary.get("ok") != len(lines):
        raise LoadFailed(f"{server.name}: {len(lines)} URLs, {tail[-500:]!r}")
    return summary


def probe(server, seconds, requests_per_second=500):
    """hello at a steady rate on one connection: {p50_us, p99_us, max_us}."""
    command = [f"{PROGRAMS}/latency_probe", server.port, server.routes.hello]
    command += [requests_per_second, seconds]
    output = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout
    p50, p99, most = map(float, output.split()[:3])
    return {"p50_us": p50, "p99_us": p99, "max_us": most}


class Saturation:
    """Tasks of about 50 ms, always more of them than a server's one worker can run."""

    CLIENTS = 4  # one task runs, the others wait
    TASK_SECONDS = 0.05

    def __init__(self, server):
        self._server = server
        self._iterations = self._calibrated()
        self._served = 0

    def _target(self, iterations):
        return self._server.routes.burn.format(iterations=iterations)

    def _calibrated(self):
        iterations = 100_000
        for _ in range(4):
            begin = time.perf_counter()
            post(self._server, self._target(iterations), b"x")
            took = time.perf_counter() - begin
            iterations = max(1000, int(iterations * min(100, self.TASK_SECONDS / took)))
        return iterations

    def _run(self, over, problems):
        # The probe shares this CPU: what it would wait for these clients is no delay of the server's.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        try:
            with HttpConnection(("127.0.0.1", self._server.port), timeout=60) as connection:
                while not over.is_set():
                    connection.send_request("POST", self._target(self._iterations), b"x")
                    if connection.read_response().status != 200:
                        raise LoadFailed(f"{self._server.name} refuses work")
                    self._served += 1
        except (OSError, LoadFailed) as problem:
            problems.append(problem)

    @contextlib.contextmanager
    def running(self):
        over, problems = threading.Event(), []
        threads = [
            threading.Thread(target=self._run, args=(over, problems)) for _ in range(self.CLIENTS)
        ]
        for thread in threads:
            thread.start()
        try:
            time.sleep(2 * self.TASK_SECONDS)  # until the first task runs and the others wait
            served = self._served
            yield
            if self._served == served:
                raise LoadFailed(f"{self._server.name} was not kept busy")
        finally:
            over.set()
            for thread in threads:
                thread.join()
        if problems:
            raise LoadFailed(f"{self._server.name}: {problems[0]}")


def figures_of(command):
    """{name: figure} of a program that prints "FIGURE NAME" lines."""
    output = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout
    lines = (line.split(" ", 1) for line in output.splitlines())
    return {name: float(value) for value, name in lines}
