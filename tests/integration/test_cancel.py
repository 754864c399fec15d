"""A client hangs up: whatever stage its task is in stops, and gives back what it held."""

import contextlib
import json
import socket
import threading

import harness
from harness import ServerTest
from name_server import NEVER, NameServer
from processes import eventually
from test_names import dialled
from upstreams import HOLD, READ, RawUpstream

PART = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 100_000
BUSY = {"op": "cpu.loop", "iterations": 10**12}
# Far longer than a test waits for a task to end: nothing but the client's leaving ends one.
ENDLESS = {
    "fetch.timeout_ms": 600_000,
    "fetch.connect_timeout_ms": 600_000,
    "workers.task_timeout_ms": 600_000,
    "workers.task_cpu_ms": 600_000,
}


class Cancel(ServerTest):
    """Each test starts a server, so that its figures are of this test alone."""

    @classmethod
    def setUpClass(cls):
        cls.origin = cls.enterClassContext(harness.Origin())

    def start(self, settings=None):
        return super().start({**ENDLESS, **(settings or {})})

    def assert_ends(self, server, task, under_way, over=lambda: True):
        """A task hangs at a stage until its client leaves; then nothing of it is left."""
        free = server.metrics().value("region_bytes", state="free")
        with server.raw() as client:
            client.send_request(
                "POST", "/v1/fetch", json.dumps(task).encode(), {"Content-Type": "application/json"}
            )
            eventually(under_way, "the task is at its stage")
        eventually(over, "the stage is over")

        def nothing_is_left():
            metrics = server.metrics()
            return (
                metrics.value("http_requests_in_flight") == 0
                and metrics.value("fetch_connections", state="active") == 0
                and metrics.value("task_queue_depth") == 0
                and metrics.value("workers", state="busy") == 0
                and metrics.value("region_bytes", state="free") == free
            )

        eventually(nothing_is_left, "everything is given back")
        self.assert_ok(server.get("/healthz"))

    def test_while_the_name_is_resolved(self):
        names = self.enterContext(NameServer({"mute.test": NEVER}))
        # The questions are given up at some time, but asked again.
        server = self.start({"fetch.dns_servers": names.address, "fetch.retries": 10})
        self.assert_ends(server, {"url": "http://mute.test/"}, lambda: names.asked("mute.test"))

    def test_while_connecting(self):
        listener = self.enterContext(contextlib.closing(socket.socket()))
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        self.enterContext(socket.create_connection(("127.0.0.1", port)))
        self.assert_ends(
            self.start(),
            {"url": f"http://127.0.0.1:{port}/"},
            lambda: dialled(port, "127.0.0.1") == 1,
            lambda: dialled(port, "127.0.0.1") == 0,
        )

    def test_in_the_tls_handshake(self):
        with RawUpstream([HOLD]) as upstream:
            self.assert_ends(
                self.start(),
                {"url": f"https://127.0.0.1:{upstream.port}/"},
                lambda: upstream.connections == 1,
                lambda: upstream.closed_by_peer == 1,
            )

    def test_while_the_request_is_sent(self):
        gone = threading.Event()
        self.addCleanup(gone.set)
        with RawUpstream([READ, gone.wait]) as upstream:
            self.assert_ends(
                self.start(),
                {"url": upstream.url(), "method": "POST", "body": "x" * 12_000_000},
                lambda: len(upstream.heads) == 1,
            )

    def test_while_it_waits_for_the_answer(self):
        with RawUpstream([READ, HOLD]) as upstream:
            self.assert_ends(
                self.start(),
                {"url": upstream.url()},
                lambda: len(upstream.heads) == 1,
                lambda: upstream.closed_by_peer == 1,
            )

    def test_in_the_middle_of_the_body(self):
        with RawUpstream([READ, PART, HOLD]) as upstream:
            server = self.start()
            self.assert_ends(
                server,
                {"url": upstream.url(), "pipeline": [{"op": "hash"}]},
                lambda: server.metrics().value("region_bytes", state="used") > 100_000,
                lambda: upstream.closed_by_peer == 1,
            )

    def test_while_it_waits_for_a_connection(self):
        with RawUpstream([READ, HOLD]) as upstream:
            server = self.start({"fetch.max_connections_per_origin": 1})
            with server.raw() as first:
                first.send_request("GET", "/v1/fetch?url=" + upstream.url())
                eventually(lambda: len(upstream.heads) == 1, "the first has the connection")
                with server.raw() as second:
                    second.send_request("GET", "/v1/fetch?url=" + upstream.url())
                    eventually(
                        lambda: server.metrics().value("http_requests_in_flight") == 2,
                        "the second waits",
                    )
                eventually(
                    lambda: server.metrics().value("http_requests_in_flight") == 1,
                    "the second is gone",
                )
            eventually(lambda: upstream.closed_by_peer == 1, "so is the first")
            self.assertEqual(upstream.connections, 1)

    def test_in_a_worker_and_in_the_queue_for_one(self):
        server = self.start({"workers.count": 1})
        task = {"url": self.origin.url("/bytes?n=5"), "pipeline": [BUSY]}
        with server.raw() as first:
            first.send_request(
                "POST", "/v1/fetch", json.dumps(task).encode(), {"Content-Type": "application/json"}
            )
            eventually(
                lambda: server.metrics().value("workers", state="busy") == 1, "a worker runs it"
            )
            with server.raw() as second:
                second.send_request(
                    "POST",
                    "/v1/fetch",
                    json.dumps(task).encode(),
                    {"Content-Type": "application/json"},
                )
                eventually(
                    lambda: server.metrics().value("http_requests_in_flight") == 2, "one more waits"
                )
            eventually(
                lambda: server.metrics().value("http_requests_in_flight") == 1, "that is gone"
            )
        eventually(
            lambda: server.metrics().value("workers", state="busy") == 0, "the worker is free"
        )
        self.assert_ok(server.fetch(self.origin.url("/bytes?n=5"), "hash"))


if __name__ == "__main__":
    harness.main()
