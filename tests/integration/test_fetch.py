"""GET, HEAD and POST /v1/fetch: what goes out, what comes back, and over which connections."""

import base64
import hashlib
import json
import statistics
import threading
import urllib.parse
import zlib

import harness
from harness import ServerTest
from upstreams import CLOSE, HOLD, READ, Origin, RawUpstream, answering

REQUEST_ID = r"^[0-9A-Za-z_.-]{8,128}$"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def sent_fields(response):
    """The request fields the origin's /echo saw, lower-case names."""
    return [(name.lower(), value) for name, value in response.json()["headers"]]


class Responses(ServerTest):
    def test_the_bytes_and_the_media_type_come_through(self):
        for target in ("/bytes?n=0", "/bytes?n=1", "/bytes?n=65536", "/bytes?n=5000000", "/json"):
            with self.subTest(target=target):
                response = self.assert_ok(
                    self.server.get("/v1/fetch", url=self.origin.url(target))
                )
                direct = self.origin.get(target)
                self.assertEqual(response.body, direct.body)
                self.assertEqual(response.header("content-type"), direct.header("content-type"))

    def test_our_fields(self):
        url = self.origin.url("/status?code=204")
        response = self.assert_ok(self.server.get("/v1/fetch", url=url))
        self.assertEqual(response.header("fetchmill-upstream-status"), "204")
        self.assertEqual(response.header("fetchmill-final-url"), url)
        self.assertEqual(response.header("x-content-type-options"), "nosniff")
        self.assertEqual(response.header("content-security-policy"), "default-src 'none'; sandbox")
        self.assertRegex(response.header("x-request-id"), REQUEST_ID)

    def test_server_timing_measures_the_wait(self):
        url = self.origin.url("/delay?ms=120")
        response = self.server.fetch(url, ("hash", {"algorithm": "md5"}))
        timing = dict(
            part.strip().split(";dur=") for part in response.header("server-timing").split(",")
        )
        self.assertLessEqual({"ttfb", "transfer", "queue", "process"}, set(timing))
        self.assertGreaterEqual(float(timing["ttfb"]), 110)
        self.assertLess(float(timing["process"]), 100_000)

    def test_request_ids_are_taken_over_when_well_formed(self):
        url = self.origin.url("/json")
        response = self.server.get("/v1/fetch", url=url, headers={"X-Request-Id": "caller-1.a_b"})
        self.assertEqual(response.header("x-request-id"), "caller-1.a_b")
        for bad in ("with space", "quote\"d", "x" * 500, "<script>"):
            with self.subTest(bad=bad):
                response = self.server.get("/v1/fetch", url=url, headers={"X-Request-Id": bad})
                self.assertNotEqual(response.header("x-request-id"), bad)
                self.assertRegex(response.header("x-request-id"), REQUEST_ID)

    def test_generated_request_ids_differ(self):
        ids = {self.server.get("/healthz").header("x-request-id") for _ in range(20)}
        self.assertEqual(len(ids), 20)

    def test_head_is_get_without_the_body(self):
        url = self.origin.url("/json?records=3")
        get = self.server.get("/v1/fetch", url=url, op="hash", algorithm="sha256")
        head = self.server.get("/v1/fetch", method="HEAD", url=url, op="hash", algorithm="sha256")
        self.assertEqual((head.status, head.body), (200, b""))
        for name in ("content-length", "content-type", "fetchmill-upstream-status"):
            self.assertEqual(head.header(name), get.header(name), name)

    def test_head_leaves_the_connection_usable(self):
        target = "/v1/fetch?url=" + self.origin.url("/json")
        with self.server.raw() as client:
            client.send_request("HEAD", target)
            client.send_request("GET", "/healthz")
            self.assertEqual(client.read_response(to_head=True).status, 200)
            self.assertEqual(client.read_response().status, 200)
        response = self.server.get("/v1/fetch", method="HEAD", url="http://10.0.0.1/")
        self.assertEqual((response.status, response.body), (403, b""))

    def test_upstream_fields_do_not_leak_into_ours(self):
        upstream_answer = (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: a=b\r\nRefresh: 0\r\n"
            b"Strict-Transport-Security: max-age=1\r\nContent-Length: 2\r\n\r\nok"
        )
        with RawUpstream(answering(upstream_answer)) as upstream:
            response = self.assert_ok(self.server.fetch(upstream.url()))
        for name in ("set-cookie", "refresh", "strict-transport-security"):
            self.assertIsNone(response.header(name), name)
        self.assertEqual(response.header("content-type"), "text/html")

    def test_envelope(self):
        url = self.origin.url("/json?records=2")
        response = self.server.fetch(
            url, ("json.select", {"pointer": "/1/id"}), envelope=True, id="a", meta={"k": [1]}
        )
        self.assertEqual(self.assert_ok(response).header("content-type"), "application/json")
        outcome = response.json()
        self.assertEqual(outcome["type"], "result")
        self.assertEqual((outcome["id"], outcome["meta"]), ("a", {"k": [1]}))
        self.assertEqual((outcome["url"], outcome["result"]), (url, 1))
        upstream = outcome["upstream"]
        self.assertEqual((upstream["status"], upstream["final_url"]), (200, url))
        self.assertEqual(upstream["media_type"], "application/json")
        self.assertEqual(upstream["bytes"], len(self.origin.get("/json?records=2").body))

    def test_envelope_forms(self):
        cases = {"/bytes?n=3": ("text", "012"), "/json?records=0": ("result", [])}
        for target, (member, value) in cases.items():
            with self.subTest(target=target):
                outcome = self.server.fetch(self.origin.url(target), envelope=True).json()
                self.assertEqual(outcome[member], value)
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\x00"
        with RawUpstream(answering(raw)) as upstream:
            outcome = self.server.fetch(upstream.url(), envelope=True).json()
        self.assertEqual(base64.b64decode(outcome["base64"]), b"\xff\xfe\x00")


class Ops(ServerTest):
    """Each op, through JSON and through the query: the two must agree."""

    def run_op(self, target, op, parameters, query=None):
        url = self.origin.url(target)
        by_json = self.assert_ok(self.server.fetch(url, (op, parameters)))
        by_query = self.assert_ok(
            self.server.get("/v1/fetch", url=url, op=op, **(parameters if query is None else query))
        )
        self.assertEqual(by_json.body, by_query.body)
        self.assertEqual(by_json.header("content-type"), by_query.header("content-type"))
        return by_json

    def test_identity(self):
        response = self.run_op("/bytes?n=1000", "identity", {})
        self.assertEqual(response.body, self.origin.get("/bytes?n=1000").body)
        self.assertEqual(response.header("content-type"), "text/plain")

    def test_json_select(self):
        response = self.run_op("/json?records=5", "json.select", {"pointer": "/3/geo"})
        self.assertEqual(response.json(), {"lat": 3, "lon": 3})
        self.assertEqual(response.header("content-type"), "application/json")
        response = self.run_op("/json?records=5", "json.select", {"pointer": ["/0/id", "/4/id"]})
        self.assertEqual(response.json(), [0, 4])
        pointers = {"first": "/0/lang", "second": "/1/lang"}
        steps = json.dumps([{"op": "json.select", "pointer": pointers}])
        response = self.server.get("/v1/fetch", url=self.origin.url("/json?records=5"), pipeline=steps)
        self.assertEqual(response.json(), {"first": "en", "second": "fr"})

    def test_json_aggregate(self):
        records = self.origin.get("/json?records=500").json()
        scores = {}
        for record in records:
            scores.setdefault(record["lang"], []).append(record["score"])
        response = self.run_op(
            "/json?records=500", "json.aggregate", {"value": "/score", "group_by": "/lang"}
        )
        result = response.json()
        self.assertEqual(result["count"], 500)
        self.assertEqual(result["sum"], sum(record["score"] for record in records))
        self.assertEqual(set(result["groups"]), set(scores))
        for lang, values in scores.items():
            group = result["groups"][lang]
            self.assertEqual((group["count"], group["sum"]), (len(values), sum(values)))
            self.assertEqual((group["min"], group["max"]), (min(values), max(values)))
            self.assertAlmostEqual(group["mean"], statistics.fmean(values), places=9)

    def test_json_aggregate_reads_ndjson(self):
        response = self.run_op("/ndjson?records=100", "json.aggregate", {"value": "/id"})
        self.assertEqual((response.json()["count"], response.json()["sum"]), (100, 4950))

    def test_json_validate(self):
        self.run_op("/json?records=5", "json.validate", {})
        url = self.origin.url("/text?text=%5B1,%5D&type=application/json")
        result = self.assert_ok(self.server.fetch(url, "json.validate")).json()
        self.assertEqual((result["valid"], result["error"]["offset"]), (False, 3))

    def test_hash(self):
        body = self.origin.get("/bytes?n=100000").body
        expected = {
            "sha256": hashlib.sha256(body).hexdigest(),
            "sha1": hashlib.sha1(body).hexdigest(),
            "md5": hashlib.md5(body).hexdigest(),
            "crc32": f"{zlib.crc32(body):08x}",
        }
        for algorithm, digest in expected.items():
            with self.subTest(algorithm=algorithm):
                response = self.run_op("/bytes?n=100000", "hash", {"algorithm": algorithm})
                self.assertEqual(response.body.decode().strip(), digest)
                self.assertTrue(response.header("content-type").startswith("text/plain"))
        response = self.run_op("/bytes?n=100000", "hash", {"algorithm": list(expected)})
        self.assertEqual(response.json(), expected)

    def test_cpu_loop(self):
        # result += i * length, for i below the iterations.
        response = self.run_op("/bytes?n=10", "cpu.loop", {"iterations": 1000})
        self.assertEqual(response.json(), 10 * sum(range(1000)))

    def test_pipelines_feed_each_step_with_the_last_ones_result(self):
        url = self.origin.url("/json?records=5")
        select = ("json.select", {"pointer": "/2/geo"})
        selected = self.server.fetch(url, select).body
        response = self.server.fetch(url, "identity", select, ("hash", {"algorithm": "sha256"}))
        self.assertEqual(response.body.decode().strip(), hashlib.sha256(selected).hexdigest())

    def test_pipelines_by_query(self):
        url = self.origin.url("/json?records=5")
        pipeline = json.dumps([{"op": "json.select", "pointer": "/2/id"}, {"op": "identity"}])
        response = self.server.get("/v1/fetch", url=url, pipeline=pipeline)
        self.assertEqual(self.assert_ok(response).json(), 2)


class Requests(ServerTest):
    def echoed(self, **task):
        return self.assert_ok(self.server.fetch(self.origin.url("/echo"), **task))

    def test_methods_and_bodies(self):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with self.subTest(method=method):
                seen = self.echoed(method=method, body="héllo\u0000").json()
                self.assertEqual((seen["method"], seen["body"]), (method, "héllo\u0000"))
        self.assertEqual(self.echoed().json()["method"], "GET")
        seen = self.echoed(method="POST", body_base64=base64.b64encode(b"raw").decode()).json()
        self.assertEqual(seen["body"], "raw")

    def test_json_bodies(self):
        response = self.echoed(method="POST", json={"a": [1, "ü"]})
        self.assertEqual(json.loads(response.json()["body"]), {"a": [1, "ü"]})
        self.assertIn(("content-type", "application/json"), sent_fields(response))

    def test_numbers_go_on_as_they_were_written(self):
        numbers = '{"n":12345678901234567890123,"a":[1.10,-0,1E5,1e400]}'
        url = json.dumps(self.origin.url("/echo"))
        task = '{"url": %s, "method": "POST", "json": %s, "meta": %s, "envelope": true}'
        body = (task % (url, numbers, numbers)).encode()
        response = self.assert_ok(self.server.post("/v1/fetch", body))
        self.assertIn(f'"meta":{numbers},'.encode(), response.body)
        self.assertEqual(response.json()["result"]["body"], numbers)

    def test_an_empty_post_declares_its_length(self):
        self.assertIn(("content-length", "0"), sent_fields(self.echoed(method="POST")))

    def test_upstream_head(self):
        url = self.origin.url("/bytes?n=500")
        response = self.assert_ok(self.server.fetch(url, method="HEAD"))
        self.assertEqual(response.body, b"")
        self.assertEqual(self.assert_ok(self.server.fetch(url)).body[:3], b"012")

    def test_headers_go_out_once_and_as_given(self):
        response = self.echoed(headers={"X-One": "1", "Accept": "text/x", "User-Agent": "agent/1"})
        fields = sent_fields(response)
        for name, value in (("x-one", "1"), ("accept", "text/x"), ("user-agent", "agent/1")):
            self.assertEqual([v for n, v in fields if n == name], [value])
        self.assertEqual(
            [v for n, v in fields if n == "host"], [f"127.0.0.1:{self.origin.port}"]
        )

    def test_the_callers_own_headers_do_not_go_out(self):
        response = self.server.fetch(
            self.origin.url("/echo"),
            request_headers={"Authorization": "Bearer caller", "Cookie": "c=1", "X-Mine": "m"},
        )
        names = {name for name, _ in sent_fields(response)}
        self.assertFalse(names & {"authorization", "cookie", "x-mine"}, names)

    def test_the_target_on_the_wire(self):
        cases = {
            "/a/../echo": "/echo",
            "/echo?a=b c#fragment": "/echo?a=b%20c",
            "/echo?q=%41ü": "/echo?q=%41%C3%BC",
            "/./echo?": "/echo?",
        }
        for given, wire in cases.items():
            with self.subTest(given=given):
                response = self.assert_ok(self.server.fetch(self.origin.url(given)))
                self.assertEqual(response.json()["target"], wire)


class Connections(ServerTest):
    settings = {"fetch.idle_timeout_ms": 60_000}

    def test_connections_are_reused(self):
        self.origin.reset_counters()
        targets = ["/json", "/chunked?n=1000&trailers=1", "/bytes?n=100000", "/status?code=204"]
        targets += ["/interim?n=2", "/chunked?n=500&extensions=1", "/etag", "/chunked?n=0"]
        for target in targets:
            self.assert_ok(self.server.fetch(self.origin.url(target)))
        counters = self.origin.counters()
        self.assertEqual(counters["requests"]["total"], len(targets))
        self.assertLessEqual(counters["connections"]["total"], 1)

    def test_framings_agree(self):
        expected = self.origin.get("/bytes?n=200000").body
        for target in (
            "/bytes?n=200000",
            "/chunked?n=200000&chunk=1000",
            "/chunked?n=200000&chunk=1000&trailers=1&extensions=1",
            "/chunked?n=200000&chunk=1",
            "/close?n=200000",
        ):
            with self.subTest(target=target):
                self.assertEqual(self.server.fetch(self.origin.url(target)).body, expected)

    def test_interim_responses_are_passed_over(self):
        response = self.server.fetch(self.origin.url("/interim?n=3"))
        self.assertEqual(self.assert_ok(response).json(), {"interim": "done"})

    def test_a_connection_closed_while_idle_costs_the_caller_nothing(self):
        # The upstream closes right after its answer, as on a keep-alive timeout.
        with RawUpstream([READ, OK, CLOSE]) as upstream:
            for _ in range(20):
                self.assertEqual(self.server.fetch(upstream.url()).body, b"ok")

    def test_an_upstream_that_says_close_is_believed(self):
        answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        with RawUpstream([READ, answer, HOLD]) as upstream:
            for _ in range(2):
                self.assertEqual(self.server.fetch(upstream.url()).body, b"ok")
            self.assertEqual(upstream.connections, 2)

    def test_an_http_1_0_upstream(self):
        with RawUpstream(answering(b"HTTP/1.0 200 OK\r\n\r\nold")) as upstream:
            self.assertEqual(self.server.fetch(upstream.url()).body, b"old")

    def test_connections_to_an_origin_are_bounded(self):
        server = self.start({"fetch.max_connections_per_origin": 3})
        self.origin.reset_counters()
        server.batch([{"url": self.origin.url("/delay?ms=50")}] * 12)
        self.assertEqual(self.origin.counters()["paths"]["/delay"]["open_max"], 3)

    def test_idle_connections_are_let_go(self):
        server = self.start({"fetch.idle_timeout_ms": 100})
        with RawUpstream([READ, OK, HOLD]) as upstream:
            self.assertEqual(server.fetch(upstream.url()).body, b"ok")
            harness.eventually(lambda: upstream.closed_by_peer == 1, "the idle connection closes")


class Statuses(ServerTest):
    def test_an_upstream_error_is_ours(self):
        response = self.server.fetch(self.origin.url("/status?code=404"))
        self.assert_problem(response, "upstream_status", upstream_status=404, stage="fetch")

    def test_accepted_statuses_are_200(self):
        cases = [(404, [404]), (404, ["4xx"]), (503, ["2xx", "5xx"]), (201, ["2xx"])]
        for status, accept in cases:
            with self.subTest(status=status, accept=accept):
                url = self.origin.url(f"/status?code={status}")
                response = self.assert_ok(self.server.fetch(url, accept_status=accept))
                self.assertEqual(response.header("fetchmill-upstream-status"), str(status))
                self.assertEqual(response.body, f"status {status}\n".encode())

    def test_accept_status_replaces_the_default(self):
        response = self.server.fetch(self.origin.url("/json"), accept_status=[404])
        self.assert_problem(response, "upstream_status", upstream_status=200)

    def test_a_refused_body_does_not_spoil_the_connection(self):
        self.origin.reset_counters()
        for _ in range(3):
            self.server.fetch(self.origin.url("/status?code=500"))
        self.assert_ok(self.server.fetch(self.origin.url("/json")))
        self.assertLessEqual(self.origin.counters()["connections"]["total"], 1)


class Redirects(ServerTest):
    def test_redirects_are_followed(self):
        for status in (301, 302, 303, 307, 308):
            with self.subTest(status=status):
                url = self.origin.url(f"/redirect?to=/json%3Frecords=1&status={status}")
                response = self.assert_ok(self.server.fetch(url))
                self.assertEqual(len(response.json()), 1)
                final = self.origin.url("/json?records=1")
                self.assertEqual(response.header("fetchmill-final-url"), final)

    def test_relative_locations(self):
        cases = {"echo": "/echo", "/a/../echo": "/echo", "./echo?x=1": "/echo?x=1"}
        for location, target in cases.items():
            with self.subTest(location=location):
                url = self.origin.url("/redirect?to=" + urllib.parse.quote(location, safe=""))
                self.assertEqual(self.assert_ok(self.server.fetch(url)).json()["target"], target)

    def test_the_number_is_bounded(self):
        self.assert_ok(self.server.fetch(self.origin.url("/redirects?n=5")))
        response = self.server.fetch(self.origin.url("/redirects?n=6"))
        self.assert_problem(response, "too_many_redirects", stage="fetch")
        response = self.server.fetch(self.origin.url("/redirects?n=2"), max_redirects=1)
        self.assert_problem(response, "too_many_redirects")

    def test_a_loop_ends(self):
        loop = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
        with RawUpstream(answering(loop)) as upstream:
            self.assert_problem(self.server.fetch(upstream.url()), "too_many_redirects")

    def test_method_and_body_follow_the_rules(self):
        cases = [
            (301, "POST", "GET", ""),
            (302, "POST", "GET", ""),
            (303, "POST", "GET", ""),
            (303, "PUT", "GET", ""),
            (307, "POST", "POST", "data"),
            (308, "PUT", "PUT", "data"),
            (302, "PUT", "PUT", "data"),
        ]
        for status, method, then, body in cases:
            with self.subTest(status=status, method=method):
                url = self.origin.url(f"/redirect?to=/echo&status={status}")
                response = self.assert_ok(self.server.fetch(url, method=method, body="data"))
                seen = response.json()
                self.assertEqual((seen["method"], seen["body"]), (then, body))

    def test_credentials_stay_with_their_origin(self):
        secrets = {"Authorization": "Bearer s", "Cookie": "s=1", "X-Api-Key": "s"}
        headers = {**secrets, "Accept-Language": "kept"}
        other = self.enterContext(Origin())
        elsewhere = self.origin.url("/redirect?to=" + other.url("/echo"))
        fields = dict(sent_fields(self.server.fetch(elsewhere, headers=headers)))
        self.assertFalse(fields.keys() & {"authorization", "cookie", "x-api-key"}, fields)
        self.assertEqual(fields["accept-language"], "kept")
        same = self.origin.url("/redirect?to=/echo")
        fields = dict(sent_fields(self.server.fetch(same, headers={"Authorization": "Bearer s"})))
        self.assertEqual(fields["authorization"], "Bearer s")

    def test_credentials_do_not_come_back_on_the_way_home(self):
        other = self.enterContext(Origin())
        home = self.origin.url("/echo")
        detour = self.origin.url("/redirect?to=" + other.url("/redirect%3Fto=" + home))
        response = self.server.fetch(detour, headers={"Authorization": "Bearer s"})
        self.assertNotIn("authorization", dict(sent_fields(self.assert_ok(response))))


class Many(ServerTest):
    def test_many_callers_at_once(self):
        results = []
        url = self.origin.url("/delay?ms=20")

        def call():
            results.append(self.server.fetch(url, ("json.select", {"pointer": "/delay"})).body)

        threads = [threading.Thread(target=call) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, [b"20"] * 100)


if __name__ == "__main__":
    harness.main()
