"""Restarts under load: no request that a client has sent is lost.

What is promised: a request whose connection was not said to end by an earlier answer, and was used
within server.drain_idle_ms, is answered; so is the first one of a connection that was made. Every
request that a client here sends is counted, and each must be answered as if nothing happened. A
server begins before the other is told to end, and takes what comes next.

FETCHMILL_RESTARTS says how many restarts (10 by default; the claim is about 100).
"""

import collections
import contextlib
import json
import os
import random
import signal
import socket
import sys
import threading
import time

import harness
import processes
from harness import Fetchmill, ServerTest
from http_client import HttpConnection
from processes import bound, eventually
from upstreams import READ, RawUpstream

RESTARTS = int(os.environ.get("FETCHMILL_RESTARTS", "10"))
# A server that drains answers no SYN any more, and its kernel resets what comes after its end.
NOT_CONNECTED = (ConnectionError, TimeoutError)


class Closing(Exception):
    """The last answer said that the connection ends."""


class Load:
    """Clients of the address that is told last, until it is stopped."""

    def __init__(self, address, origin):
        self.address = address
        self.origin = origin
        self.counts = collections.Counter()
        self.failures = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = []

    def run(self, *kinds):
        for number, kind in enumerate(kinds):
            thread = threading.Thread(target=self._repeat, args=(kind, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=bound(60))
            if thread.is_alive():
                self.failures.append("a client waits for an answer without end")

    def count(self, what, number=1):
        with self._lock:
            self.counts[what] += number

    def over(self):
        return self._over.is_set()

    def _repeat(self, kind, number):
        chance = random.Random(number)
        address = self.address
        while not self.over():
            try:
                connection = HttpConnection(address, timeout=0.5)
            except NOT_CONNECTED:
                self.count("not connected")
                address = self.address
                continue
            connection.socket.settimeout(bound(30))
            with connection:
                try:
                    kind(self, connection, chance)
                except Closing:
                    self.count("told to close")
                except Exception as error:  # a thread has nobody to raise to
                    self.failures.append(f"{kind.__name__}: {error!r}")

    # The requests.

    def send(self, connection, method, target, body=None, **headers):
        connection.send_request(method, target, body, headers)
        self.count("sent")

    def receive(self, connection, expected):
        response = connection.read_response()
        self.count("answered")
        if response.status != 200 or not expected(response.body):
            self.failures.append(f"not the answer that was due: {response}")
        if response.header("connection") == "close":
            raise Closing

    def ask(self, connection, method, target, expected, body=None):
        self.send(connection, method, target, body)
        self.receive(connection, expected)

    def fetched(self, ms):
        return f"/v1/fetch?op=json.select&pointer=/delay&url={self.origin}/delay%3Fms={ms}"


def keeps_alive(load, connection, chance):
    """Requests of all kinds, a POST among them, which no client may repeat by itself."""
    while not load.over():
        word = str(chance.random()).encode()
        ms = chance.choice((0, 1, 20))
        load.ask(connection, "GET", load.fetched(ms), lambda body, ms=ms: body == b"%d" % ms)
        process = "/v1/process?op=identity"
        load.ask(connection, "POST", process, lambda body, word=word: body == word, word)
        load.ask(connection, "GET", "/livez", lambda body: b"ok" in body)
        time.sleep(chance.random() * 0.03)


def connects_anew(load, connection, _):
    load.ask(connection, "GET", "/livez", lambda body: b"ok" in body)


def sends_later(load, connection, chance):
    """Makes the connection first, and has a request only then; in two pieces."""
    time.sleep(chance.random() * 0.05)
    load.count("sent")
    connection.send(b"POST /v1/process?op=identity HTTP/1.1\r\nHost: localhost\r\n")
    time.sleep(chance.random() * 0.02)
    connection.send(b"Content-Length: 4\r\n\r\nab")
    time.sleep(chance.random() * 0.02)
    connection.send(b"cd")
    load.receive(connection, lambda body: body == b"abcd")


def pipelines(load, connection, _):
    """Several at once. Those after the answer that says close were not looked at, by RFC 9112."""
    while not load.over():
        request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.send(request * 5)
        for _ in range(5):
            load.count("sent")
            load.receive(connection, lambda body: b"ok" in body)


def batches(load, connection, chance):
    """Lines that arrive over time, outcomes that are read meanwhile."""
    lines = 20
    load.count("sent")
    target = f"/v1/batch?op=json.select&pointer=/delay&url={load.origin}/delay%3Fms=3"
    connection.send(
        f"POST {target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: application/x-ndjson\r\n\r\n".encode()
    )
    for _ in range(lines):
        connection.send(b"3\r\n{}\n\r\n")
        time.sleep(chance.random() * 0.01)
    connection.send(b"0\r\n\r\n")

    def whole(body):
        summary = json.loads(body.splitlines()[-1])
        return (summary["type"], summary["ok"]) == ("summary", lines)

    load.receive(connection, whole)


CLIENTS = 6 * [keeps_alive] + 3 * [connects_anew] + 2 * [sends_later, pipelines, batches]


class Restarts(ServerTest):
    @contextlib.contextmanager
    def under_load(self, server, *kinds):
        load = Load(server.address, self.origin.url("").rstrip("/"))
        load.run(*kinds)
        try:
            yield load
        finally:
            load.stop()

    def restart(self, load, server, stop):
        """Another server takes over; `stop` ends the one before in the middle of its work."""
        before = load.counts["answered"]
        eventually(lambda: load.counts["answered"] > before + 50, "requests are answered")
        following = Fetchmill(self.load_settings)
        load.address = following.address
        stop(server)
        self.assertEqual(server.wait(30), 0, server.log[-10:])
        server.child.stderr.close()
        return following

    # More than any of the clients pauses, were the machine to stand still for a while.
    load_settings = {"server.drain_idle_ms": 10_000}

    def restarts(self, number, stop):
        server = Fetchmill(self.load_settings)
        try:
            with self.under_load(server, *CLIENTS) as load:
                for _ in range(number):
                    server = self.restart(load, server, stop)
                    if load.failures:
                        break
        finally:
            server.stop()
        self.assertEqual(load.failures, [])
        print(f"{number} restarts: {dict(load.counts)}", file=sys.stderr, flush=True)
        self.assertEqual(load.counts["sent"], load.counts["answered"])
        self.assertGreater(load.counts["told to close"], number)

    def test_no_request_is_lost(self):
        self.restarts(RESTARTS, Fetchmill.terminate)

    def test_nor_when_the_signal_reaches_every_process(self):
        """As a terminal's Ctrl-C does, and systemd unless it is told otherwise."""

        def stop(server):
            for pid in [*processes.descendants(server.pid), server.pid]:
                processes.kill(pid, signal.SIGTERM)

        self.restarts(max(1, RESTARTS // 10), stop)


class Idle(ServerTest):
    """Connections on which no request is under way."""

    def draining(self, **settings):
        named = {f"server.{name}": value for name, value in settings.items()}
        return self.start({"server.drain_timeout_ms": 20000, **named})

    def test_one_that_is_used_meanwhile_is_told(self):
        server = self.draining(drain_idle_ms=15000)
        with server.raw() as used, server.raw() as fresh:
            used.send_request("GET", "/livez")
            self.assertIsNone(used.read_response().header("connection"))
            server.terminate()
            server.wait_for_log("nobody new gets in")
            for connection in (used, fresh):
                connection.send_request("GET", "/livez")
                self.assertEqual(connection.read_response().header("connection"), "close")
        self.assertEqual(server.wait(), 0)

    def test_one_that_is_not_is_closed(self):
        server = self.draining(drain_idle_ms=50)
        with server.raw() as used, server.raw() as fresh:
            used.send_request("GET", "/livez")
            used.read_response()
            server.terminate()
            self.assertEqual((used.read_to_end(), fresh.read_to_end()), (b"", b""))
        self.assertEqual(server.wait(), 0)

    def test_a_stream_that_did_not_say_close_may_be_followed_by_a_request(self):
        may_answer = threading.Event()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
        server = self.draining(drain_idle_ms=15000)
        with RawUpstream([READ, may_answer.wait, answer]) as upstream, server.raw() as connection:
            tasks = [{"url": self.origin.url("/json?records=1")}, {"url": upstream.url()}]
            body = json.dumps({"tasks": tasks}).encode()
            connection.send_request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
            connection.read_until(b'"index":0')
            server.terminate()
            server.wait_for_log("nobody new gets in")
            may_answer.set()
            connection.read_until(b"\r\n0\r\n\r\n")
            connection.send_request("GET", "/livez")
            self.assertEqual(connection.read_response().header("connection"), "close")
        self.assertEqual(server.wait(), 0)

    def test_nobody_new_gets_in(self):
        server = self.draining(drain_idle_ms=15000)
        with server.raw() as connection:
            server.terminate()
            server.wait_for_log("nobody new gets in")
            with self.assertRaises(OSError):
                socket.create_connection(server.address, timeout=0.2).close()
            connection.send_request("GET", "/livez")
            connection.read_response()
        self.assertEqual(server.wait(), 0)


if __name__ == "__main__":
    harness.main()
