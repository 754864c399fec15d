"""Against a real nginx: connections kept and closed, reloads and restarts, codings, TLS."""

import hashlib
import os
import threading

import harness
from harness import ServerTest
from nginx import Nginx, Repeating
from processes import eventually
from upstreams import Certificates


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Nginxes(ServerTest):
    def nginx(self, **how):
        return self.enterContext(Nginx(**how))

    def all_ok(self, batch, count):
        failed = [outcome for outcome in batch.outcomes if outcome["type"] != "result"]
        self.assertEqual(batch.summary["ok"], count, failed[:3])

    def assert_served(self, nginx, count, target="/small.json"):
        """So many requests and no more."""
        eventually(lambda: len(nginx.requests(target)) >= count, "nginx has logged them")
        self.assertEqual(len(nginx.requests(target)), count)


class Connections(Nginxes):
    def test_a_kept_connection_serves_more_than_99_of_100(self):
        nginx = self.nginx()
        url = nginx.file("small.json", b"{}")
        for _ in range(3):
            self.all_ok(self.server.batch([url_task(url)] * 1000, concurrency=16), 1000)
        # nginx closes each after 1,000 requests.
        self.assertLess(nginx.accepted(), 3000 / 100)

    def test_nginx_ends_connections_after_few_requests(self):
        nginx = self.nginx(http="keepalive_requests 7;")
        url = nginx.file("small.json", b"{}")
        self.all_ok(self.server.batch([url_task(url, retries=0)] * 1000), 1000)
        self.assert_served(nginx, 1000)

    def test_nginx_closes_idle_connections_at_the_worst_moments(self):
        # Every connection is idle for about as long as nginx keeps it.
        nginx = self.nginx(http="keepalive_timeout 3ms;")
        url = nginx.file("small.json", b"{}")
        for round_ in range(60):
            batch = self.server.batch([url_task(url, retries=0)] * 20, concurrency=1 + round_ % 4)
            self.all_ok(batch, 20)
        self.assert_served(nginx, 1200)

    def test_a_reload_under_load(self):
        nginx = self.nginx()
        url = nginx.file("small.json", b"{}")
        with Repeating(nginx.reload, 0.05):
            for _ in range(3):
                self.all_ok(self.server.batch([url_task(url, retries=0)] * 1000), 1000)
        self.assert_served(nginx, 3000)

    def test_a_restart_under_load_is_sat_out(self):
        nginx = self.nginx()
        url = nginx.file("small.json", b"{}")
        # However long nginx takes to start, the breaker has no part in this.
        server = self.start({"fetch.retries": 8, "fetch.breaker_failures": 0})
        restart = threading.Timer(0.02, nginx.restart)
        restart.start()
        while restart.is_alive():
            self.all_ok(server.batch([url_task(url)] * 1000, concurrency=16), 1000)


class Posts(Nginxes):
    """A POST is served once, or its outcome says that it was lost: it is never sent twice."""

    def setUp(self):
        super().setUp()
        self.ok, self.lost = [], []

    def nginx(self, **how):
        return super().nginx(server='location = /post { return 200 "done"; }', **how)

    def post(self, server, nginx, count, **how):
        first = len(self.ok) + len(self.lost)
        targets = [f"/post?{number}" for number in range(first, first + count)]
        fields = {"method": "POST", "body": "once", **how}
        batch = server.batch([url_task(nginx.url(target), **fields) for target in targets])
        for outcome in batch.outcomes:
            target = targets[outcome["index"]]
            if outcome["type"] == "result":
                self.ok.append(target)
            else:
                self.assertIn(outcome["error"]["code"], ("upstream_protocol", "connect_failed"))
                self.lost.append(target)

    def served(self, nginx):
        return [target for *_, target in nginx.requests() if target.startswith("/post?")]

    def assert_told_truly(self, nginx):
        eventually(lambda: set(self.ok) <= set(self.served(nginx)), "nginx has logged them")
        self.assertCountEqual(self.served(nginx), self.ok)

    def test_nginx_closes_idle_connections_at_the_worst_moments(self):
        nginx = self.nginx(http="keepalive_timeout 3ms;")
        for _ in range(60):
            self.post(self.server, nginx, 20, retries=0)
        self.assert_told_truly(nginx)
        # How many meet such a moment is the machine's choice.
        self.assertGreater(len(self.ok), len(self.lost))

    def test_nginx_ends_connections_after_few_requests(self):
        nginx = self.nginx(http="keepalive_requests 7;")
        self.post(self.server, nginx, 1000, retries=0)
        self.assert_told_truly(nginx)
        self.assertEqual(self.lost, [])

    def test_a_reload_under_load(self):
        nginx = self.nginx()
        with Repeating(nginx.reload, 0.05):
            for _ in range(3):
                self.post(self.server, nginx, 1000)
        self.assert_told_truly(nginx)
        self.assertGreater(len(self.ok), 9 * len(self.lost))

    def test_a_restart_under_load(self):
        nginx = self.nginx()
        server = self.start({"fetch.retries": 8, "fetch.breaker_failures": 0})
        restart = threading.Timer(0.02, nginx.restart)
        restart.start()
        while restart.is_alive():
            self.post(server, nginx, 1000)
        # What was served just before it ended may be in no log; what is in there twice came twice.
        nginx.stop()
        served = self.served(nginx)
        self.assertEqual(len(served), len(set(served)), "none twice")
        self.assertGreater(len(self.ok), 9 * len(self.lost))


class Bodies(Nginxes):
    def test_sizes_byte_by_byte(self):
        nginx = self.nginx()
        for size in (0, 1, 4095, 4096, 65537, 5_000_000):
            data = os.urandom(size)
            url = nginx.file("random.bin", data)
            with self.subTest(size=size):
                self.assertEqual(self.assert_ok(self.server.fetch(url)).body, data)
                self.assertEqual(
                    self.server.fetch(url, ("hash", {"algorithm": "sha256"})).body.decode(),
                    sha256(data),
                )

    def test_gzip_on_the_way(self):
        nginx = self.nginx(http="gzip on; gzip_types application/json; gzip_min_length 1;")
        data = b"[" + b",".join(b'{"n":%d}' % i for i in range(50_000)) + b"]"
        url = nginx.file("numbers.json", data)
        response = self.assert_ok(self.server.fetch(url))
        self.assertEqual(response.body, data)
        (outcome,) = self.server.batch([url_task(url, pipeline=["hash"])]).outcomes
        self.assertEqual(outcome["text"], sha256(data))
        self.assertLess(outcome["upstream"]["bytes"], len(data) // 3)

    def test_a_request_body_that_nginx_refuses(self):
        nginx = self.nginx(http="client_max_body_size 1k;", server="location = /post { return 200; }")
        response = self.server.fetch(nginx.url("/post"), method="POST", body="x" * 500_000)
        self.assert_problem(response, "upstream_status", upstream_status=413)

    def test_a_request_body_that_nginx_refuses_without_reading_it(self):
        nginx = self.nginx(
            http="client_max_body_size 1k; lingering_time 1ms;",
            server="location /post { return 200; }",
        )
        for method in ("POST", "PUT"):
            with self.subTest(method):
                response = self.server.fetch(
                    nginx.url("/post"), method=method, body="x" * 12_000_000
                )
                self.assert_problem(response, "upstream_status", upstream_status=413)
        self.assert_served(nginx, 2, "/post")


class Tls(Nginxes):
    def test_sessions_are_resumed(self):
        certificates = self.enterContext(Certificates())
        server = self.start({"fetch.ca_file": certificates.ca_file})
        for version in ("TLSv1.2", "TLSv1.3"):
            nginx = self.nginx(
                certificates=certificates,
                http=f"ssl_protocols {version}; keepalive_requests 20;",
            )
            data = os.urandom(200_000)
            url = nginx.file("random.bin", data)
            with self.subTest(version):
                tasks = [url_task(url, pipeline=["hash"], debug=True)] * 200
                batch = server.batch(tasks, concurrency=4)
                self.all_ok(batch, 200)
                self.assertEqual({outcome["text"] for outcome in batch.outcomes}, {sha256(data)})
                handshakes = [
                    attempt["tls"]
                    for outcome in batch.outcomes
                    for attempt in outcome["debug"]["attempts"]
                    if not attempt["reused"]
                ]
                self.assertGreaterEqual(len(handshakes), 10)
                self.assertEqual({tls["version"] for tls in handshakes}, {version})
                # The first of each of the four comes before there is anything to resume.
                resumed = sum(tls["resumed"] for tls in handshakes)
                self.assertGreaterEqual(resumed, len(handshakes) - 4)


def url_task(url, pipeline=None, **fields):
    task = {"url": url, **fields}
    if pipeline:
        task["pipeline"] = [harness.pipeline_step(step) for step in pipeline]
    return task


if __name__ == "__main__":
    harness.main()
