"""The gate for inbound HTTP/1.1: every refusal, byte by byte, and the limits around it."""

import concurrent.futures
import json
import select
import time

import harness
from harness import ServerTest
from http_client import ConnectionOver
from http_refusals import (
    BAD_CHUNKS,
    BAD_FIELDS,
    BAD_FRAMINGS,
    BAD_HOSTS,
    BAD_REQUEST_LINES,
    CHUNKED,
    END,
    GET,
    HOST,
    OVER_LIMITS,
    POST,
    REFUSED,
    REFUSED_FOR_SIZE,
    SECOND,
)
from processes import bound, eventually


class Refusals(ServerTest):
    def exchange(self, data, size):
        """What comes back for `data` and a good request behind it, in pieces (0: whole)."""
        data += SECOND
        with self.server.raw(timeout=5) as client:
            if size == 0:
                client.send_pieces(data, len(data))
            else:
                # Of a long request only what decides comes in pieces: its end.
                start = max(0, len(data) - 400)
                client.send_pieces(data[:start], max(start, 1))
                client.send_pieces(data[start:], size)
            try:
                response = client.read_response()
            except (ConnectionOver, OSError) as over:
                return f"no response: {over}", b""
            return response, client.read_to_end()

    def assert_refused(self, cases, statuses):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            exchanges = {
                (name, size): pool.submit(self.exchange, data, size)
                for name, data in cases.items()
                for size in range(6)
            }
        for (name, size), exchange in exchanges.items():
            with self.subTest(name, pieces=size):
                response, rest = exchange.result()
                self.assertIn(getattr(response, "status", None), statuses, response)
                self.assertEqual(rest, b"", "something was answered after the refusal")
                self.assertEqual(response.header("connection"), "close")
                self.assertEqual(response.json()["code"], "invalid_request")
                self.assertEqual(response.json()["status"], response.status)
                if response.status == 400:
                    self.assert_problem(response, "invalid_request")

    def test_request_lines(self):
        self.assert_refused(BAD_REQUEST_LINES, REFUSED)

    def test_fields(self):
        self.assert_refused(BAD_FIELDS, REFUSED)

    def test_framings(self):
        self.assert_refused(BAD_FRAMINGS, REFUSED)

    def test_hosts(self):
        self.assert_refused(BAD_HOSTS, REFUSED)

    def test_chunks(self):
        self.assert_refused(BAD_CHUNKS, REFUSED)

    def test_limits(self):
        self.assert_refused(OVER_LIMITS, REFUSED_FOR_SIZE)

    def test_versions(self):
        cases = {
            version.decode(): b"GET /livez " + version + b"\r\n" + HOST + END
            for version in (b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/3.0")
        }
        self.assert_refused(cases, {400, 505})

    def test_what_is_just_within_the_limits(self):
        good = {
            "fields": (GET + HOST + b"A: b\r\n" * 99 + END, 200),
            "head": (GET + HOST + (b"A: " + b"b" * 1000 + b"\r\n") * 30 + END, 200),
            "request line": (b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\n" + HOST + END, 404),
            "chunk line": (CHUNKED + b"2;" + b"a" * 200 + b"\r\nab\r\n0\r\n\r\n", 200),
            "trailers": (CHUNKED + b"0\r\n" + (b"A: " + b"b" * 90 + b"\r\n") * 40 + END, 200),
        }
        for name, (data, status) in good.items():
            with self.subTest(name), self.server.raw() as client:
                client.send(data + SECOND)
                self.assertEqual(client.read_response().status, status)
                self.assertEqual(client.read_response().status, 200)

    def test_good_requests_in_pieces(self):
        good = {
            "GET": (GET + HOST + END, b"ok"),
            "length": (POST + b"Content-Length: 7\r\n\r\nabcdefg", b"abcdefg"),
            "chunks": (CHUNKED + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nA: b\r\n\r\n", b"abcdefg"),
            "no chunks": (CHUNKED + b"0\r\n\r\n", b""),
            "one digit": (CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        }
        for name, (data, body) in good.items():
            for size in range(1, 6):
                with self.subTest(name, pieces=size), self.server.raw() as client:
                    client.send_pieces(data + SECOND, size, pause=0.0002)
                    response = client.read_response()
                    self.assertEqual(response.status, 200)
                    if name != "GET":
                        self.assertEqual(response.body, body)
                    self.assertEqual(client.read_response().status, 200)

    def test_refusals_are_counted_and_leave_nothing_behind(self):
        before = self.server.metrics().value("http_refused_total")
        self.exchange(BAD_FIELDS["obs-fold with a tab"], 0)
        self.assertEqual(self.server.metrics().value("http_refused_total"), before + 1)
        eventually(
            lambda: self.server.metrics().value("http_connections") == 1,
            "only the connection of the scrape is left",
        )


class Pipelining(ServerTest):
    def request(self, number, target="/livez", method="GET", body=None):
        fields = f"Host: localhost\r\nX-Request-Id: request-{number:04d}\r\n"
        if body is not None:
            fields += f"Content-Length: {len(body)}\r\n"
        return f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode() + (body or b"")

    def test_answers_come_in_order(self):
        # The first is the slowest.
        slow = "/v1/fetch?url=" + self.origin.url("/delay%3Fms=200")
        requests = [self.request(0, slow)]
        requests += [self.request(number) for number in range(1, 20)]
        requests += [self.request(20, "/v1/process?op=identity", "POST", b"body")]
        requests += [self.request(21, "/v1/ops", "HEAD"), self.request(22, "/nowhere")]
        with self.server.raw() as client:
            client.send(b"".join(requests))
            for number in range(23):
                response = client.read_response(to_head=number == 21)
                self.assertEqual(response.header("x-request-id"), f"request-{number:04d}")
                self.assertEqual(response.status, 404 if number == 22 else 200)

    def test_more_than_the_buffer_holds(self):
        count = 3000
        with self.server.raw() as client, concurrent.futures.ThreadPoolExecutor(1) as pool:
            requests = b"".join(self.request(number) for number in range(count))
            sending = pool.submit(client.send, requests)
            for number in range(count):
                response = client.read_response()
                self.assertEqual(response.header("x-request-id"), f"request-{number:04d}")
            sending.result()

    def test_a_bad_request_behind_a_good_one(self):
        for bad in (BAD_FRAMINGS["both lengths"], BAD_FIELDS["bare LF throughout"]):
            hash_request = self.request(1, "/v1/process?op=hash&algorithm=md5", "POST", b"x")
            for good in (self.request(1), hash_request):
                with self.subTest(bad=bad, good=good), self.server.raw() as client:
                    client.send(good + bad + SECOND)
                    self.assertEqual(client.read_response().status, 200)
                    self.assertEqual(client.read_response().status, 400)
                    self.assertEqual(client.read_to_end(), b"")

    def test_connection_close_ends_it(self):
        with self.server.raw() as client:
            client.send(GET + HOST + b"Connection: close\r\n\r\n" + SECOND)
            self.assertEqual(client.read_response().header("connection"), "close")
            self.assertEqual(client.read_to_end(), b"")

    def test_http_1_0_ends_it(self):
        with self.server.raw() as client:
            client.send(b"GET /livez HTTP/1.0\r\n" + HOST + END)
            self.assertEqual(client.read_response().status, 200)
            self.assertEqual(client.read_to_end(), b"")

    def test_expect_continue(self):
        head = POST + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        with self.server.raw() as client:
            client.send(head)
            self.assertEqual(client.read_response(interim=True).status, 100)
            client.send(b"body")
            self.assertEqual(client.read_response().body, b"body")

    def test_expect_continue_with_a_body_that_is_refused(self):
        with self.server.raw() as client:
            client.send(POST + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n")
            response = client.read_response(interim=True)
            self.assert_problem(response, "payload_too_large")


class SlowTest(ServerTest):
    def drip(self, client, data):
        """Sends `data` a byte each 50 ms until the server ends it."""
        for byte in data:
            readable, _, _ = select.select([client.socket], [], [], 0.05)
            if readable:
                break
            try:
                client.send(bytes([byte]))
            except (BrokenPipeError, ConnectionResetError):
                break

    def assert_timed_out(self, client, started):
        # The deadline is absolute: dripping must not move it.
        elapsed = time.monotonic() - started
        self.assertGreater(elapsed, 0.4)
        self.assertLess(elapsed, bound(4))
        rest = client.read_to_end()
        self.assertRegex(rest[:13], rb"^(|HTTP/1.1 408 ?)")


class SlowClients(SlowTest):
    settings = {
        "server.body_timeout_ms": 600,
        "server.write_timeout_ms": 600,
        "server.keep_alive_timeout_ms": 600,
    }

    def test_a_body_that_drips(self):
        for head in (POST + b"Content-Length: 1000\r\n\r\n", CHUNKED + b"3e8\r\n"):
            started = time.monotonic()
            with self.subTest(head=head), self.server.raw() as client:
                client.send(head)
                self.drip(client, b"b" * 400)
                self.assert_timed_out(client, started)

    def test_an_idle_connection_closes_quietly(self):
        with self.server.raw() as client:
            started = time.monotonic()
            client.send(SECOND)
            self.assertEqual(client.read_response().status, 200)
            self.assertEqual(client.read_to_end(), b"")
            self.assertGreater(time.monotonic() - started, 0.4)

    def test_a_client_that_does_not_read(self):
        self.origin.reset_counters()
        url = self.origin.url("/bytes?n=16000000")
        with self.server.raw() as client:
            client.send_request("GET", "/v1/fetch?url=" + url)
            eventually(
                lambda: self.origin.counters()["paths"].get("/bytes", {}).get("total"),
                "it is being served",
            )
            eventually(
                lambda: self.server.metrics().value("http_connections") == 1, "it is given up"
            )


class SlowHeads(SlowTest):
    """By themselves: where a head may come late, other tests do not depend on how late."""

    settings = {"server.head_timeout_ms": 600}

    def test_a_head_that_drips(self):
        started = time.monotonic()
        with self.server.raw() as client:
            self.drip(client, GET + HOST + b"A: " + b"b" * 400)
            self.assert_timed_out(client, started)

    def test_a_head_that_never_comes(self):
        started = time.monotonic()
        with self.server.raw() as client:
            self.assertRegex(client.read_to_end()[:13], rb"^(|HTTP/1.1 408 ?)")
            self.assertLess(time.monotonic() - started, bound(4))


class HangUps(ServerTest):
    def assert_freed(self, start_request, leave):
        idle = self.server.metrics().value("http_requests_in_flight")
        with self.server.raw() as client:
            start_request(client)
            eventually(lambda: self.origin.open_requests() >= 1, "the task is at its upstream")
            self.assertGreater(self.server.metrics().value("http_requests_in_flight"), idle)
            leave(client)
            eventually(lambda: self.origin.open_requests() == 0, "the upstream connection closes")
            eventually(
                lambda: self.server.metrics().value("http_requests_in_flight") == idle,
                "the request's permit is free again",
            )

    def get_hanging(self, client):
        client.send_request("GET", "/v1/fetch?url=" + self.origin.url("/hang"))

    def batch_hanging(self, client):
        tasks = [{"url": self.origin.url("/hang")}] * 20
        body = json.dumps({"tasks": tasks}).encode()
        client.send_request("POST", "/v1/batch", body, {"Content-Type": "application/json"})

    def test_a_client_that_closes(self):
        for start_request in (self.get_hanging, self.batch_hanging):
            for leave in (lambda client: client.close(), lambda client: client.reset()):
                with self.subTest(start_request=start_request.__name__):
                    self.assert_freed(start_request, leave)

    def test_memory_is_freed(self):
        before = self.server.metrics().value("region_bytes", state="used")
        for _ in range(10):
            with self.server.raw() as client:
                url = self.origin.url("/slow%3Fbytes=100000%26chunk=1000%26ms=50")
                client.send_request("GET", "/v1/fetch?url=" + url)
                eventually(lambda: self.origin.open_requests() == 1, "the body is arriving")
            eventually(lambda: self.origin.open_requests() == 0, "the upstream connection closes")
        eventually(
            lambda: self.server.metrics().value("region_bytes", state="used") <= before,
            "the slots are free again",
        )

    def test_many_that_leave_at_once(self):
        before = self.server.descriptor_count()
        clients = [self.server.raw() for _ in range(50)]
        for client in clients:
            self.get_hanging(client)
        eventually(lambda: self.origin.open_requests() == 50, "all are at their upstream")
        for client in clients:
            client.reset()
        eventually(lambda: self.origin.open_requests() == 0, "all are given up")
        eventually(lambda: self.server.descriptor_count() <= before + 1, "no descriptor is left")


class Router(ServerTest):
    def test_methods_a_route_does_not_have(self):
        cases = [
            ("POST", "/livez", {"GET", "HEAD"}),
            ("DELETE", "/v1/fetch", {"GET", "HEAD", "POST"}),
            ("GET", "/v1/batch", {"POST"}),
            ("PUT", "/v1/process", {"POST"}),
            ("POST", "/metrics", {"GET", "HEAD"}),
            ("BREW", "/v1/ops", {"GET", "HEAD"}),
        ]
        for method, target, allowed in cases:
            with self.subTest(method=method, target=target):
                response = self.server.request(method, target, b"" if method != "GET" else None)
                self.assert_problem(response, "method_not_allowed")
                allow = {name.strip() for name in response.header("allow").split(",")}
                self.assertEqual(allow - {"OPTIONS"}, allowed)

    def test_paths_nobody_serves(self):
        for target in ("/nowhere", "/v1", "/v1/", "/v1/fetch/", "/V1/fetch", "/v1//fetch",
                       "/v1/../livez", "/errors/none_such", "/%6civez"):
            with self.subTest(target=target):
                self.assert_problem(self.server.get(target), "not_found")

    def test_the_connection_survives_an_error(self):
        with self.server.raw() as client:
            for target in ("/nowhere", "/v1/fetch", "/livez"):
                client.send_request("GET", target)
            self.assertEqual([client.read_response().status for _ in range(3)], [404, 400, 200])

    def test_health_and_the_front_page(self):
        for target in ("/livez", "/healthz", "/readyz", "/"):
            with self.subTest(target=target):
                self.assertEqual(self.server.get(target).status, 200)
                head = self.server.get(target, method="HEAD")
                self.assertEqual((head.status, head.body), (200, b""))


class Browsers(ServerTest):
    def get(self, headers, server=None, target="/v1/ops"):
        return (server or self.server).request("GET", target, headers=headers)

    def test_hosts_of_a_loopback_listener(self):
        for host in ("localhost", "localhost:1234", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:9",
                     "LOCALHOST"):
            with self.subTest(host=host):
                self.assertEqual(self.get({"Host": host}).status, 200)
        for host in ("evil.example", "localhost.evil.example", "127.0.0.2", "evil.example:8080"):
            with self.subTest(host=host):
                self.assert_problem(self.get({"Host": host}), "misdirected_request")

    def test_hosts_by_setting(self):
        server = self.start({"server.hosts": ["localhost", "127.0.0.1", "api.example"]})
        self.assertEqual(self.get({"Host": "api.example:443"}, server).status, 200)
        self.assert_problem(self.get({"Host": "[::1]"}, server), "misdirected_request")
        server = self.start({"server.hosts": ["*"]})
        self.assertEqual(self.get({"Host": "anything.example"}, server).status, 200)

    def test_pages_of_other_sites(self):
        for origin in ("https://evil.example", "null", "http://localhost:1", "http://127.0.0.1",
                       "file://", "http://evil.example:%d" % self.server.address[1]):
            with self.subTest(origin=origin):
                self.assert_problem(self.get({"Origin": origin}), "origin_denied")
                response = self.server.request(
                    "POST", "/v1/process?op=identity", b"x", {"Origin": origin}
                )
                self.assert_problem(response, "origin_denied")

    def test_our_own_pages(self):
        own = "127.0.0.1:%d" % self.server.address[1]
        response = self.get({"Host": own, "Origin": "http://" + own})
        self.assertEqual(response.status, 200)

    def test_pages_the_operator_lists(self):
        server = self.start({"server.cors_origins": ["https://app.example"]})
        response = self.get({"Origin": "https://app.example"}, server)
        self.assertEqual(response.status, 200)
        self.assertEqual(response.header("access-control-allow-origin"), "https://app.example")
        self.assertIn("origin", response.header("vary").lower())
        response = self.get({"Origin": "https://app.example.evil"}, server)
        self.assert_problem(response, "origin_denied")

    def test_a_preflight(self):
        server = self.start({"server.cors_origins": ["https://app.example"]})
        ask = {
            "Origin": "https://app.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        response = server.request("OPTIONS", "/v1/batch", headers=ask)
        self.assertIn(response.status, (200, 204))
        self.assertEqual(response.header("access-control-allow-origin"), "https://app.example")
        self.assertIn("POST", response.header("access-control-allow-methods"))
        allowed = response.header("access-control-allow-headers").lower().split(", ")
        ours = {"content-type", "if-none-match", "if-modified-since", "traceparent", "tracestate"}
        self.assertLessEqual(ours, set(allowed))
        ask["Origin"] = "https://b.example"
        refused = server.request("OPTIONS", "/v1/batch", headers=ask)
        self.assert_problem(refused, "origin_denied")


class Capacity(ServerTest):
    def test_connections_over_the_cap_wait(self):
        server = self.start({"server.max_connections": 3})
        clients = [self.enterContext(server.raw()) for _ in range(3)]
        for client in clients:
            client.send_request("GET", "/v1/fetch?url=" + self.origin.url("/hang"))
        eventually(lambda: self.origin.open_requests() == 3, "all three are busy")
        waiting = self.enterContext(server.raw())
        waiting.send(SECOND)
        waiting.socket.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            waiting.read_response()
        waiting.socket.settimeout(bound(10))
        clients[0].close()
        self.assertEqual(waiting.read_response().status, 200)

    def test_requests_over_the_cap_are_refused(self):
        server = self.start({"server.max_requests_in_flight": 2})
        clients = [self.enterContext(server.raw()) for _ in range(2)]
        for client in clients:
            client.send_request("GET", "/v1/fetch?url=" + self.origin.url("/hang"))
        eventually(lambda: self.origin.open_requests() == 2, "both are in flight")
        response = server.get("/v1/fetch", url=self.origin.url("/json"))
        self.assert_problem(response, "overloaded")
        self.assertRegex(response.header("retry-after"), r"^\d+$")
        for target in ("/livez", "/healthz", "/readyz", "/metrics"):
            with self.subTest(target=target):
                self.assertEqual(server.get(target).status, 200)
        clients[0].close()
        eventually(
            lambda: server.get("/v1/fetch", url=self.origin.url("/json")).status == 200,
            "there is room again",
        )


if __name__ == "__main__":
    harness.main()
