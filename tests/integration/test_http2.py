"""HTTP/2 with real upstreams: one connection for many fetches, and nothing lost with it."""

import hashlib
import os
import threading

import harness
from harness import ServerTest
from http2_upstreams import Nghttpd
from nginx import Nginx
from processes import eventually
from upstreams import Certificates

BIG = os.urandom(10_000_000)


class Http2(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.certificates = cls.enterClassContext(Certificates())
        # What is counted are requests.
        cls.settings = {"fetch.ca_file": cls.certificates.ca_file, "fetch.cache_mb": 0}
        super().setUpClass()

    def nghttpd(self, *options):
        upstream = self.enterContext(Nghttpd(self.certificates, *options))
        upstream.write("small", b"small")
        upstream.write("big", BIG)
        return upstream

    def nginx(self, requests=1000):
        return self.enterContext(
            Nginx(
                certificates=self.certificates,
                listen=" http2",
                http=f"keepalive_requests {requests};",
                server="location / { default_type text/plain; return 200 $request_uri; }",
            )
        )

    def assert_texts(self, batch, texts):
        self.assertEqual([outcome.get("text", outcome) for outcome in batch.outcomes], texts)

    def test_a_batch_shares_one_connection(self):
        upstream = self.nghttpd()
        # The first is made before: a crowd does not wait long for a handshake that is slow.
        self.assert_ok(self.server.fetch(upstream.url("/small")))
        tasks = [{"url": upstream.url("/small")}] * 1000
        self.assert_texts(self.server.batch(tasks, concurrency=200), ["small"] * 1000)
        self.assertEqual(upstream.connections(), 1)
        self.assertEqual(len(upstream.paths()), 1001)
        metrics = self.server.metrics()
        self.assertEqual(metrics.value("fetch_connections", state="active"), 0)

    def test_a_large_body_comes_whole(self):
        upstream = self.nghttpd()
        response = self.assert_ok(self.server.fetch(upstream.url("/big")))
        self.assertEqual(hashlib.sha256(response.body).digest(), hashlib.sha256(BIG).digest())
        batch = self.server.batch([{"url": upstream.url("/big"), "pipeline": [{"op": "hash"}]}] * 8)
        self.assert_texts(batch, [hashlib.sha256(BIG).hexdigest()] * 8)

    def test_one_stream_at_a_time(self):
        upstream = self.nghttpd("--max-concurrent-streams=1")
        self.assert_ok(self.server.fetch(upstream.url("/small")))
        tasks = [{"url": upstream.url("/small")}] * 100
        self.assert_texts(self.server.batch(tasks), ["small"] * 100)
        self.assertEqual((upstream.connections(), len(upstream.paths())), (1, 101))

    def test_bodies_are_sent(self):
        upstream = self.nghttpd("--echo-upload")
        body = "0123456789" * 30_000
        response = self.server.fetch(upstream.url("/small"), method="POST", body=body)
        self.assertEqual(self.assert_ok(response).body.decode(), body)

    def test_a_goaway_neither_loses_nor_doubles_a_request(self):
        upstream = self.nginx(requests=100)
        paths = [f"/{n}" for n in range(1000)]
        tasks = [{"url": upstream.url(path), "method": "POST", "body": "x"} for path in paths]
        self.assert_texts(self.server.batch(tasks, order="input"), paths)
        eventually(lambda: len(upstream.requests()) >= len(paths), "nginx has logged them")
        served = upstream.requests()
        self.assertEqual(sorted(path for _, _, path in served), sorted(paths))
        self.assertEqual({protocol for _, protocol, _ in served}, {"HTTP/2.0"})
        self.assertLess(len({connection for connection, _, _ in served}), 30)

    def test_an_upstream_that_restarts(self):
        upstream = self.nghttpd()
        for _ in range(3):
            self.assertEqual(self.server.fetch(upstream.url("/small")).body, b"small")
            upstream.stop()
            upstream.start()
            response = self.server.fetch(upstream.url("/small"), method="POST", body="x", retries=0)
            self.assertEqual(response.status, 200, response)

    def test_can_be_turned_off(self):
        upstream = self.nginx()
        server = self.start({**self.settings, "fetch.http2": "off"})
        self.assertEqual(server.fetch(upstream.url("/a")).body, b"/a")
        (request,) = eventually(upstream.requests, "nginx has logged the request")
        self.assertEqual(request[1:], ("HTTP/1.1", "/a"))

    def test_clients_that_hang_up_leave_the_connection_to_the_others(self):
        upstream = self.nghttpd()
        self.server.fetch(upstream.url("/small"))

        def hang_up():
            with self.server.raw() as connection:
                connection.send_request("GET", "/v1/fetch?url=" + upstream.url("/big"))

        threads = [threading.Thread(target=hang_up) for _ in range(20)]
        for thread in threads:
            thread.start()
        tasks = [{"url": upstream.url("/small")}] * 200
        self.assert_texts(self.server.batch(tasks), ["small"] * 200)
        for thread in threads:
            thread.join()
        self.assertEqual(upstream.connections(), 1)


if __name__ == "__main__":
    harness.main()
