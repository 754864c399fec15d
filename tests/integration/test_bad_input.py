"""What callers can send wrong, and the error each gets."""

import json
import time
import unittest

import harness
from harness import ServerTest
from processes import bound, eventually, isolate_network
from upstreams import RawUpstream, answering

# Were one of the refusals below missing, the server would connect: not to anything real.
ISOLATED = isolate_network()

# Each names a loopback or private machine in another way. IPv4 forms that the URL standard reads as
# IPv4 (octal, hexadecimal, fewer parts) and IPv4 inside IPv6 among them.
DENIED_HOSTS = """
127.0.0.1 127.0.0.2 127.255.255.255 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0x7f.1
0177.0.0.1 0177.1 017700000001 127.0.0.1. 0x7F.0X0.0.1 127.000.000.001 %31%32%37.0.0.1
0.0.0.0 0 0.0.0.1 0x0 00000000000
10.0.0.1 10.255.255.255 10.1 0x0a000001 012.0.0.1 167772161
172.16.0.1 172.31.255.254 192.168.0.1 192.168.257 0xc0a80001 3232235521
169.254.169.254 169.254.0.1 2852039166 0xa9fea9fe 0251.0376.0251.0376 168.63.129.16
100.64.0.1 100.127.255.254 192.0.0.1 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
192.88.99.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
[::1] [0:0:0:0:0:0:0:1] [::0001] [::] [0000:0000:0000:0000:0000:0000:0000:0001]
[::127.0.0.1] [::7f00:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:0:127.0.0.1] [::FFFF:10.0.0.1]
[0:0:0:0:0:ffff:127.0.0.1] [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [::ffff:0.0.0.0]
[64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::10.0.0.1] [64:ff9b:1::1] [64:ff9b::a9fe:a9fe]
[2002:7f00:1::] [2002:a00:1::1] [2002:a9fe:a9fe::] [2001::1] [2001:0:7f00:1::] [2001:db8::1]
[fc00::1] [fd00::1] [fd00:ec2::254] [fe80::1] [febf::1] [fec0::1] [ff02::1] [ff00::]
[100::1] [3fff::1] [5f00::1] [2001:2::1] [2001:10::1] [fe80::5efe:127.0.0.1] [2001:20::1]
""".split()

# Full-width and circled digits, ideographic full stops and case, which IDNA maps to loopback names.
DENIED_NAMES = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost",
    "\uff11\uff12\uff17.0.0.1",
    "\u2460\u2461\u2466.0.0.1",
    "127\u30020\u30020\u30021",
    "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
    "loc\u00adalhost",
]

# Refused by their form before any address is looked at, or not URLs at all.
DENIED_URLS = [
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://@127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "http:\\\\example.com/",
    "http://exa\tmple.com/",
    "http://example.com/\r\nHost: other",
    "http://example.com/\u0000",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_INFO",
    "javascript:alert(1)",
    "data:text/plain,hello",
    "ws://example.com/",
    "//example.com/",
    "example.com",
    "/relative",
    "http://",
    "http:///",
    "http://[::1",
    "http://[::1]x/",
    "http://[fe80::1%25eth0]/",
    "http://1.2.3.4.5/",
    "http://0x100000000/",
    "http://256.0.0.1/",
    "http://example.com:99999/",
    "http://example.com:port/",
    "http://exa mple.com/",
    "http://a..b<c>/",
]


class MalformedRequests(ServerTest):
    def test_malformed_json_names_the_position(self):
        cases = [b"", b"{", b'{"url"}', b'{"url": "x",}', b"[]]", b"nul", b"{}{}"]
        cases += [b'{"url": "\xff"}', b'{"url": "\n"}', b'{"url": "\\ud800"}', b"\xef\xbb\xbf{"]
        for body in cases:
            with self.subTest(body=body):
                response = self.server.post("/v1/fetch", body)
                self.assertNotIn("field", self.assert_problem(response, "invalid_request"))
        problem = self.server.post("/v1/fetch", b'{"url": tru}').json()
        self.assertRegex(problem["detail"], r"\b(byte|offset|position|column)\D*\d+")

    def test_a_body_that_is_no_object(self):
        for body in (b"[]", b'"http://example.com/"', b"1", b"null", b"true"):
            with self.subTest(body=body):
                self.assert_problem(self.server.post("/v1/fetch", body), "invalid_request")
                self.assert_problem(self.server.post("/v1/batch", body), "invalid_request")

    def test_deep_nesting_is_refused_not_recursed_into(self):
        body = b'{"url":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
        self.assert_problem(self.server.post("/v1/fetch", body), "invalid_request")

    def test_unknown_fields_are_named(self):
        url = self.origin.url("/json")
        response = self.server.fetch(url, pipelines=[])
        self.assert_problem(response, "unknown_field", field="pipelines")
        self.assert_problem(
            self.server.fetch(url, ("json.select", {"pointer": "/0", "pionter": "/0"})),
            "unknown_field",
            field="pipeline[0].pionter",
        )
        self.assert_problem(
            self.server.fetch(url, "identity", ("hash", {"algoritm": "md5"})),
            "unknown_field",
            field="pipeline[1].algoritm",
        )
        batch = {"tasks": [{"url": url}], "task": 1}
        self.assert_problem(self.server.post("/v1/batch", batch), "unknown_field", field="task")
        batch = {"tasks": [{"url": url}], "defaults": {"timeout": 1}}
        self.assert_problem(
            self.server.post("/v1/batch", batch), "unknown_field", field="defaults.timeout"
        )

    def test_what_stands_elsewhere_is_said(self):
        url = self.origin.url("/json")
        for target, body, field, hint in (
            ("/v1/fetch", {"url": url, "op": "hash"}, "op", "ops stand in `pipeline`"),
            ("/v1/fetch", {"url": url, "pipelines": []}, "pipelines", "did you mean pipeline?"),
            ("/v1/batch", {"tasks": [url], "pipeline": []}, "pipeline", "stands in `defaults`"),
            ("/v1/batch", {"urls": [url]}, "urls", "URLs stand in `tasks`"),
            ("/v1/merge", {"urls": [url]}, "urls", "URLs stand in `tasks`"),
        ):
            with self.subTest(body=body):
                response = self.server.post(target, body)
                problem = self.assert_problem(response, "unknown_field", field=field)
                self.assertIn(hint, problem["detail"])

    def test_unknown_ops(self):
        url = self.origin.url("/json")
        for step in ("json.selekt", "IDENTITY", "json", "crash", "echo", "spin_forever"):
            with self.subTest(op=step):
                response = self.server.fetch(url, step)
                self.assert_problem(response, "unknown_op", field="pipeline[0].op")
        batch = {"tasks": [{"url": url, "pipeline": [{"op": "nope"}]}]}
        for response in (
            self.server.get("/v1/fetch", url=url, op="nope"),
            self.server.process(b"{}", "nope"),
            self.server.post("/v1/batch", batch),
        ):
            self.assertIn("no op 'nope'", self.assert_problem(response, "unknown_op")["detail"])

    def test_unknown_query_parameters_ask_about_an_unencoded_url(self):
        target = f"/v1/fetch?url={self.origin.url('/delay?ms=0')}&page=2"
        problem = self.assert_problem(
            self.server.request("GET", target), "unknown_field", field="page"
        )
        self.assertIn("url", problem["detail"])
        self.assertRegex(problem["detail"], "encode")
        for target in (target + "&op=hash", target + "&pipeline=%5B%5D"):
            problem = self.assert_problem(
                self.server.request("GET", target), "unknown_field", field="page"
            )
            self.assertIn("percent-encode the whole value of `url`", problem["detail"])
        lines = {"Content-Type": "application/x-ndjson"}
        response = self.server.request("POST", "/v1/batch?url=http://a/?b&c=1&op=hash", b"", lines)
        problem = self.assert_problem(response, "unknown_field", field="c")
        self.assertIn("percent-encode the whole value of `url`", problem["detail"])
        url = self.origin.url("/json")
        both = {"pointer": "/0", "algorithm": "md5"}
        response = self.server.get("/v1/fetch", url=url, op="json.select", **both)
        self.assert_problem(response, "unknown_field", field="algorithm")

    def test_parameters_of_an_op_without_an_op(self):
        response = self.server.get("/v1/fetch", url=self.origin.url("/json"), pointer="/0")
        self.assert_problem(response, "unknown_field", field="pointer")

    def test_wrong_types_name_the_field(self):
        url = self.origin.url("/json")
        cases = {
            "url": [1, None, True, [], {}],
            "method": [1, "", "GE T", "G\r\nET"],
            "headers": [1, [], {"a": 1}, "a: b"],
            "body": [1, {}],
            "body_base64": [1, "*"],
            "pipeline": [1, {}, [1], [[]]],
            "id": [{}, []],
            "timeout_ms": ["1", -1, 1.5, 0, True, 1e300, None],
            "max_bytes": ["1", -1, 1.5],
            "max_result_bytes": ["1", -1],
            "accept_status": [200, ["abc"], [99], ["20x"], [{}], [1000]],
            "max_redirects": ["1", -1, 1.5],
            "retries": ["1", -1, 1.5, 3, None],
            "cache": [1, None, "", "Default", "no-store"],
            "envelope": [1, "true"],
        }
        for field, values in cases.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    response = self.server.post("/v1/fetch", {"url": url, field: value})
                    problem = self.assert_problem(response, "invalid_request")
                    self.assertRegex(problem.get("field", ""), f"^{field}\\b")

    def test_wrong_types_in_a_batch_name_the_task(self):
        url = self.origin.url("/json")
        batch = {"tasks": [{"url": url}, {"url": url, "timeout_ms": "1"}]}
        response = self.server.post("/v1/batch", batch)
        self.assert_problem(response, "invalid_request", field="tasks[1].timeout_ms")
        for field, value in {
            "tasks": {},
            "order": "random",
            "concurrency": 0,
            "deadline_ms": -5,
            "on_error": "panic",
            "defaults": [],
        }.items():
            with self.subTest(field=field):
                response = self.server.post("/v1/batch", {"tasks": [{"url": url}], field: value})
                self.assert_problem(response, "invalid_request", field=field)

    def test_meta_is_bounded(self):
        batch = {"tasks": [{"url": self.origin.url("/json"), "meta": "x" * 5000}]}
        response = self.server.post("/v1/batch", batch)
        self.assert_problem(response, "invalid_request", field="tasks[0].meta")

    def test_queries_where_there_are_no_parameters(self):
        for target in ("/v1/ops?x=1&y", "/v1/pipelines?x"):
            with self.subTest(target):
                response = self.server.request("GET", target)
                self.assert_problem(response, "unknown_field", field="x")
        for target in ("/livez?x=1", "/readyz?x=1", "/metrics?x=1"):
            self.assert_ok(self.server.request("GET", target))

    def test_a_refusal_does_not_forget_the_body(self):
        for target in (b"/errors/nope", b"/v1/ops?x"):
            with self.subTest(target), self.server.raw() as client:
                fields = b"Host: localhost\r\nContent-Length: 99\r\n\r\n"
                client.send(b"GET " + target + b" HTTP/1.1\r\n" + fields)
                response = client.read_response()
                self.assertIn(response.status, (400, 404))
                self.assertEqual(response.header("connection"), "close")

    def test_fields_given_twice(self):
        url = json.dumps(self.origin.url("/json"))
        for target, body, field in (
            ("/v1/fetch", '{"url": %s, "url": %s}' % (url, url), "url"),
            ("/v1/batch", '{"tasks": [{"url": %s}], "tasks": []}' % url, "tasks"),
            ("/v1/merge", '{"tasks": [], "defaults": {}, "defaults": {}}', "defaults"),
        ):
            with self.subTest(target):
                response = self.server.post(target, body.encode())
                self.assert_problem(response, "invalid_request", field=field)

    def test_vars_that_fill_nothing(self):
        response = self.server.fetch(self.origin.url("/json"), vars={"a": 1})
        self.assert_problem(response, "invalid_request", field="vars")

    def test_bodies_exclude_each_other(self):
        response = self.server.fetch(self.origin.url("/echo"), method="POST", body="a", json={})
        self.assert_problem(response, "invalid_request")

    def test_missing_url(self):
        self.assert_problem(self.server.fetch(), "invalid_request", field="url")
        self.assert_problem(self.server.get("/v1/fetch"), "invalid_request", field="url")
        response = self.server.post("/v1/batch", {"tasks": [{"id": "a"}]})
        self.assert_problem(response, "invalid_request", field="tasks[0].url")
        self.assert_problem(self.server.post("/v1/batch", {}), "invalid_request", field="tasks")

    def test_missing_and_wrong_op_parameters(self):
        url = self.origin.url("/json")
        cases = [
            ("json.select", {}, "pointer"),
            ("json.select", {"pointer": 1}, "pointer"),
            ("json.select", {"pointer": "no slash"}, "pointer"),
            ("json.aggregate", {"value": "/score", "stats": ["median-ish"]}, "stats"),
            ("hash", {"algorithm": "rot13"}, "algorithm"),
            ("cpu.loop", {"iterations": "many"}, "iterations"),
            ("cpu.loop", {"iterations": -1}, "iterations"),
        ]
        for op, parameters, field in cases:
            with self.subTest(op=op, parameters=parameters):
                problem = self.assert_problem(
                    self.server.fetch(url, (op, parameters)), "invalid_request"
                )
                self.assertRegex(problem.get("field", ""), rf"^pipeline\[0\]\.{field}\b")

    def test_too_many_steps(self):
        response = self.server.fetch(self.origin.url("/json"), *["identity"] * 17)
        self.assert_problem(response, "invalid_request", field="pipeline")

    def test_a_body_an_op_cannot_process(self):
        url = self.origin.url("/text?text=%7Bnot%20json&type=application/json")
        response = self.server.fetch(url, ("json.select", {"pointer": "/a"}))
        self.assert_problem(response, "processing_failed", stage="process")

    def test_a_page_two_million_deep_is_refused_at_once(self):
        started = time.monotonic()
        response = self.server.process(b"<div>" * 2_000_000, "html.text")
        self.assert_problem(response, "processing_failed", stage="process")
        self.assertLess(time.monotonic() - started, bound(5))

    def test_forbidden_request_headers(self):
        for name, value in [("a b", "x"), ("X", "a\r\nY: b"), ("X", "a\u0000"), ("", "x")]:
            with self.subTest(name=name, value=value):
                task = {"url": self.origin.url("/echo"), "headers": {name: value}}
                response = self.server.post("/v1/fetch", task)
                problem = self.assert_problem(response, "invalid_request")
                self.assertRegex(problem.get("field", ""), r"^headers\b")

    def test_media_types_of_request_bodies(self):
        response = self.server.request(
            "POST", "/v1/fetch", b"<task/>", {"Content-Type": "application/xml"}
        )
        self.assert_problem(response, "unsupported_media_type")


@unittest.skipUnless(ISOLATED, "needs a network namespace of its own")
class DeniedAddresses(ServerTest):
    settings = {"fetch.allow_networks": None}

    def test_every_form_of_an_address_is_refused(self):
        # One batch a port form, so that hundreds of cases cost a few requests.
        for suffix in ("/", ":8080/", ":80/x?y=1"):
            tasks = [{"url": f"http://{host}{suffix}"} for host in DENIED_HOSTS]
            batch = self.server.batch(tasks, order="input")
            for task, outcome in zip(tasks, batch.outcomes, strict=True):
                with self.subTest(url=task["url"]):
                    self.assertIn(outcome["error"]["code"], ("address_denied", "url_denied"))

    def test_every_form_of_a_local_name_is_refused(self):
        tasks = [{"url": f"http://{name}/"} for name in DENIED_NAMES]
        # A name that is not looked up at all is as good as one refused for its address.
        refusals = ("address_denied", "url_denied", "dns_failed")
        outcomes = self.server.batch(tasks, order="input").outcomes
        for task, outcome in zip(tasks, outcomes, strict=True):
            with self.subTest(url=task["url"]):
                self.assertIn(outcome["error"]["code"], refusals)

    def test_a_single_refusal_has_the_full_shape(self):
        response = self.server.fetch("http://127.0.0.1/")
        self.assert_problem(response, "address_denied", stage="fetch")
        self.assert_problem(self.server.fetch("http://localhost/"), "address_denied")
        self.assert_problem(self.server.get("/v1/fetch", url="http://[::1]/"), "address_denied")

    def test_urls_refused_by_their_form(self):
        for url in DENIED_URLS:
            response = self.server.fetch(url)
            with self.subTest(url=url):
                code = response.json().get("code")
                self.assertIn(code, ("url_denied", "address_denied", "invalid_request"), response)
                self.assert_problem(response, code)

    def test_schemes_and_credentials_are_url_denied(self):
        for url in ("ftp://example.com/", "file:///etc/passwd", "http://user:secret@example.com/"):
            with self.subTest(url=url):
                problem = self.assert_problem(self.server.fetch(url), "url_denied")
                self.assertNotIn("secret", json.dumps(problem))

    def test_ports_outside_the_list(self):
        for port in (22, 25, 6379, 81, 65535, 0):
            with self.subTest(port=port):
                response = self.server.fetch(f"http://93.184.215.14:{port}/")
                self.assertIn(response.json()["code"], ("address_denied", "url_denied"))

    def test_nothing_was_connected_to(self):
        # On an allowed port a refused address must not even be dialled.
        server = self.start({"fetch.allow_networks": None, "fetch.allow_ports": [self.origin.port]})
        self.origin.reset_counters()
        for host in ("127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"):
            with self.subTest(host=host):
                self.assert_problem(server.fetch(self.origin.url("/json", host)), "address_denied")
        self.assertEqual(self.origin.counters()["connections"]["total"], 0)

    def test_denials_are_counted(self):
        before = self.server.metrics().value("fetch_denied_total")
        self.server.fetch("http://127.0.0.1/")
        self.assertEqual(self.server.metrics().value("fetch_denied_total"), before + 1)


@unittest.skipUnless(ISOLATED, "needs a network namespace of its own")
class DeniedRedirects(ServerTest):
    # The origin's own address is allowed, and nothing else is.
    settings = {"fetch.allow_networks": ["127.0.0.1/32"]}

    def redirected_to(self, target):
        # RawUpstream, not the origin: the Location goes out as it is.
        upstream = self.enterContext(
            RawUpstream(
                answering(
                    b"HTTP/1.1 302 Found\r\nLocation: " + target.encode() + b"\r\n"
                    b"Content-Length: 0\r\n\r\n"
                )
            )
        )
        return self.server.fetch(upstream.url())

    def test_redirects_to_every_kind_of_refused_address(self):
        hosts = ["127.0.0.2", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "0x7f.2"]
        for host in hosts + ["192.168.1.1", "0.0.0.0", "[fd00::1]", "2130706434"]:
            with self.subTest(host=host):
                response = self.redirected_to(f"http://{host}/latest/meta-data/")
                self.assertIn(response.json()["code"], ("address_denied", "url_denied"), response)

    def test_redirects_to_other_schemes(self):
        for target in ("file:///etc/passwd", "ftp://example.com/", "gopher://127.0.0.1/"):
            with self.subTest(target=target):
                self.assert_problem(self.redirected_to(target), "url_denied")

    def test_a_protocol_relative_redirect(self):
        self.assert_problem(self.redirected_to("//127.0.0.2/"), "address_denied")

    def test_deny_networks_wins_over_allow_networks(self):
        server = self.start(
            {"fetch.allow_networks": ["127.0.0.0/8"], "fetch.deny_networks": ["127.0.0.1/32"]}
        )
        self.assert_problem(server.fetch(self.origin.url("/json")), "address_denied")


class TooLarge(ServerTest):
    settings = {"fetch.max_bytes": 100_000, "server.max_body_bytes": 100_000}

    def test_upstream_bodies_over_the_cap(self):
        # Declared, chunked and ended by the close: the last two become known only as they arrive.
        for target in ("/bytes?n=100001", "/chunked?n=100001", "/close?n=100001"):
            with self.subTest(target=target):
                response = self.server.fetch(self.origin.url(target))
                self.assert_problem(response, "upstream_body_too_large", stage="fetch")

    def test_upstream_bodies_of_exactly_the_cap(self):
        for target in ("/bytes?n=100000", "/chunked?n=100000", "/close?n=100000"):
            with self.subTest(target=target):
                response = self.server.fetch(self.origin.url(target))
                self.assertEqual((response.status, len(response.body)), (200, 100_000))

    def test_a_task_may_ask_for_less(self):
        response = self.server.fetch(self.origin.url("/bytes?n=1001"), max_bytes=1000)
        self.assert_problem(response, "upstream_body_too_large")

    def test_a_task_may_not_ask_for_more(self):
        response = self.server.fetch(self.origin.url("/bytes?n=100001"), max_bytes=200_000)
        self.assertIn(response.json()["code"], ("upstream_body_too_large", "invalid_request"))

    def test_request_bodies_over_the_cap(self):
        body = json.dumps({"url": "http://a/", "meta": "x" * 200_000}).encode()
        self.assert_problem(self.server.post("/v1/fetch", body), "payload_too_large")
        with self.server.raw() as client:
            client.send(
                b"POST /v1/fetch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            client.send_pieces((b"%x\r\n" % 50_000 + b"x" * 50_000 + b"\r\n") * 3, 50_000)
            self.assert_problem(client.read_response(), "payload_too_large")

    def test_results_over_their_limit(self):
        response = self.server.fetch(
            self.origin.url("/json?records=500"),
            ("json.select", {"pointer": ""}),
            max_result_bytes=100,
        )
        self.assert_problem(response, "result_too_large")

    def test_nothing_leaks(self):
        for target in ("/bytes?n=200000", "/chunked?n=200000", "/close?n=200000"):
            self.server.fetch(self.origin.url(target))
        eventually(lambda: self.origin.open_requests() == 0, "the upstream's requests end")


if __name__ == "__main__":
    harness.main()
