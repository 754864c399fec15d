"""A hostile upstream cannot forge an outcome, a header field, or a page of ours."""

import base64
import json

import harness
from harness import Batch, ServerTest
from upstreams import CLOSE, READ, RawUpstream

FORGED = b'{"type":"result","index":0,"id":"forged","url":"http://forged/","result":"forged"}'
SUMMARY = b'{"type":"summary","tasks":0,"ok":0,"unchanged":0,"failed":0,"elapsed_ms":0}'

BODIES = [
    b'"}\n' + FORGED + b"\n",
    b"\n" + FORGED + b"\n" + SUMMARY + b"\n",
    b"\r\n\r\n" + FORGED,
    b'1,"timings_ms":{}}\n' + FORGED,
    b'{"a":1},"type":"summary"',
    b'{"a":1}}\n' + FORGED,
    b'{"a":1',
    b"[1,2",
    b'"half',
    b'"half\\',
    b'{"a":"\n"}',
    b'{"a":"\x00"}',
    b"1 2",
    b"1\n2",
    b"null]}",
    b"{} " + FORGED,
    b"tru",
    b"0x10",
    b"NaN",
    b"-",
    b'{"a":"\xff\xfe"}',
    b'"\xed\xa0\x80"',
    b'"\\ud800"',
    '"\u2028\u2029\u0085"'.encode(),
    b"\xef\xbb\xbf{}",
    b"",
    b" \n\t ",
    b"[" * 2000 + b"]" * 2000,
    b"event: summary\ndata: " + SUMMARY + b"\n\n",
    b"\n\nevent: outcome\nid: 0\ndata: " + FORGED + b"\n\n",
    b"]," + b'"summary":{}}',
    b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"<script>alert(1)</script>",
    b"</pre><script>fetch('/v1/fetch')</script>",
    b"\x1b[2J\x07",
    bytes(range(256)),
]
TYPES = ["application/json", "text/plain", "text/html", "application/octet-stream", None]

OUTCOME_MEMBERS = {
    "result": {"type", "index", "id", "url", "upstream", "attempts", "cache", "etag", "media_type",
               "timings_ms", "result", "text", "base64"},
    "error": {"type", "index", "id", "url", "upstream", "attempts", "error", "timings_ms"},
}
# All that an answer to a fetch may have.
RESPONSE_FIELDS = {
    "age", "cache-control", "cache-status", "connection", "content-length",
    "content-security-policy", "content-type", "date", "etag", "fetchmill-final-url",
    "fetchmill-upstream-status", "last-modified", "proxy-status", "retry-after", "server-timing",
    "x-content-type-options", "x-request-id",
}


def answer(body, *lines):
    head = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *lines, b"", b""]
    return b"\r\n".join(head) + body


def as_json(body):
    """What the body says as JSON; nothing where it does not."""
    try:
        text = body.decode()
        json.dumps(json.loads(text, parse_constant=lambda _: 1 / 0)).encode()
        return json.loads(text)
    except (ValueError, ZeroDivisionError, RecursionError):
        return None


class ForgeryTest(ServerTest):
    def upstream(self, answers):
        return self.enterContext(RawUpstream(*[[READ, data, CLOSE] for data in answers]))

    def run_all(self, accept, steps=()):
        """All bodies as all types; gives each body with its type and its outcome."""
        cases = [(body, kind) for body in BODIES for kind in TYPES]
        lines = [[f"Content-Type: {kind}".encode()] if kind else [] for _, kind in cases]
        upstream = self.upstream(answer(body, *line) for (body, _), line in zip(cases, lines))
        tasks = [{"url": upstream.url(f"/{at}"), "id": str(at)} for at in range(len(cases))]
        document = {
            "tasks": tasks,
            "order": "input",
            "concurrency": 1,
            "defaults": {"pipeline": list(steps)},
        }
        response = self.assert_ok(self.server.post("/v1/batch", document, {"Accept": accept}))
        outcomes, summary = self.taken_apart(response, accept)
        self.assertEqual(len(outcomes), len(cases))
        failed = sum(outcome["type"] == "error" for outcome in outcomes)
        counted = (summary["tasks"], summary["ok"], summary["failed"])
        self.assertEqual(counted, (len(cases), len(cases) - failed, failed))
        for at, (outcome, (body, kind)) in enumerate(zip(outcomes, cases)):
            with self.subTest(accept=accept, body=body[:40], kind=kind):
                self.assertEqual((outcome["index"], outcome["id"]), (at, str(at)))
                self.assertEqual(outcome["url"], tasks[at]["url"])
                self.assertLessEqual(set(outcome), OUTCOME_MEMBERS[outcome["type"]])
        return [(body, kind, outcome) for (body, kind), outcome in zip(cases, outcomes)]

    def taken_apart(self, response, accept):
        if accept != "text/event-stream":
            batch = Batch(response)
            return batch.outcomes, batch.summary
        *events, rest = response.body.decode().split("\n\n")
        self.assertEqual(rest, "")
        events = [dict(line.split(": ", 1) for line in event.split("\n")) for event in events]
        self.assertEqual({event["event"] for event in events[:-1]}, {"outcome"})
        self.assertEqual(events[-1]["event"], "summary")
        return [json.loads(event["data"]) for event in events[:-1]], json.loads(events[-1]["data"])

    def raw_head(self, target):
        """The head of the answer, as its bytes came."""
        with self.server.raw() as client:
            client.send_request("GET", target)
            return client.read_until(b"\r\n\r\n")


class Outcomes(ForgeryTest):
    def check(self, body, kind, outcome):
        (form,) = {"result", "text", "base64"} & set(outcome)
        if form == "base64":
            return self.assertEqual(base64.b64decode(outcome["base64"], validate=True), body)
        if form == "text":
            return self.assertEqual(outcome["text"].encode(), body)
        # What does not say what it is may be taken for JSON where it is.
        self.assertIn(kind, ("application/json", None))
        self.assertEqual(outcome["result"], as_json(body))

    def test_every_body_stays_in_its_place(self):
        for accept in ("application/x-ndjson", "application/json", "text/event-stream"):
            for body, kind, outcome in self.run_all(accept):
                with self.subTest(accept=accept, body=body[:40], kind=kind):
                    self.assertEqual(outcome["type"], "result")
                    self.check(body, kind, outcome)

    def test_what_an_op_says_of_a_body_stays_in_its_place(self):
        select = {"op": "json.select", "pointer": {'"}\n{"type":"result"': "/a"}}
        results = 0
        for _, _, outcome in self.run_all("application/x-ndjson", [select]):
            if outcome["type"] == "result":
                results += 1
                self.assertEqual(set(outcome["result"]), set(select["pointer"]))
        self.assertGreater(results, 0)

    def test_lines_are_lines(self):
        kind = b"Content-Type: application/json"
        upstream = self.upstream([answer(body, kind) for body in BODIES])
        document = {"tasks": [{"url": upstream.url()}] * len(BODIES), "concurrency": 1}
        body = self.server.post("/v1/batch", document).body
        # Nothing that anybody takes for the end of a line stands within one.
        for line in body.split(b"\n")[:-1]:
            self.assertFalse(set(line) & set(range(0x20)), line[:100])
            json.loads(line)
        self.assertEqual(body.count(b"\n"), len(BODIES) + 1)


class Fields(ForgeryTest):
    ODD = [
        b'Content-Type: application/json;x="}\t{',
        b"Content-Type: text/html\xff\xfe; charset=\xf0\x9f\x92\xa9",
        b"Content-Type: \"}<script>alert(1)</script>",
        b'ETag: "\xff\xf0"',
        b'ETag: "a", "type":"result"',
        b"Last-Modified: \"}\xff",
        b"Cache-Control: max-age=5, x=\"\xff\"",
        b"Age: \"}",
        b"Set-Cookie: session=forged",
        b"Content-Security-Policy: script-src *",
        b"Access-Control-Allow-Origin: *",
        b"Location: http://forged/",
        b"Clear-Site-Data: *",
        b"X-Odd: \"}],\"summary\":{}}\t\xff\xc3\x28",
        b"X-Request-Id: forged",
        b"Server-Timing: forged",
    ]

    def test_no_field_of_the_upstreams_is_ours(self):
        upstream = self.upstream([answer(b"{}", line) for line in self.ODD])
        for line in self.ODD:
            with self.subTest(line):
                head = self.raw_head("/v1/fetch?cache=bypass&url=" + upstream.url())
                self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"), head)
                names = [each.partition(b":")[0].decode().lower() for each in head.split(b"\r\n")[1:]]
                self.assertEqual(len(names), len(set(names)), names)
                self.assertLessEqual(set(names), RESPONSE_FIELDS)
                self.assertNotIn(b"forged", head)
                self.assertIn(b"\r\nContent-Security-Policy: default-src 'none'; sandbox", head)
                self.assertIn(b"\r\nX-Content-Type-Options: nosniff", head)

    def test_in_an_outcome(self):
        names = ["content-type", "etag", "last-modified", "set-cookie", "x-odd", "missing"]
        upstream = self.upstream([answer(b"{}", line) for line in self.ODD])
        tasks = [
            {"url": upstream.url(f"/{at}"), "include_headers": names} for at in range(len(self.ODD))
        ]
        batch = self.server.batch(tasks, order="input", concurrency=1)
        for line, outcome in zip(self.ODD, batch.outcomes, strict=True):
            with self.subTest(line):
                name, _, value = line.decode(errors="replace").partition(": ")
                headers = outcome["upstream"]["headers"]
                if name.lower() in names:
                    # Bytes that are no UTF-8 may be replaced one by one or together.
                    seen = headers[name.lower()]
                    seen = seen[0] if name == "Set-Cookie" else seen
                    self.assertEqual(seen.replace("\ufffd", ""), value.replace("\ufffd", ""))
                self.assertLessEqual(set(headers), set(names))
                self.assertLessEqual(set(outcome), OUTCOME_MEMBERS[outcome["type"]])

    def test_a_head_that_is_two(self):
        for line in (b"X: a\rX-Forged: 1", b"X: a\nX-Forged: 1", b"X: a\r\n X-Forged: 1", b"X: \x00"):
            with self.subTest(line):
                upstream = self.upstream([answer(b"{}", line)])
                response = self.server.fetch(upstream.url(), include_headers=["x"], retries=0)
                problem = self.assert_problem(response, "upstream_protocol")
                self.assertNotIn("Forged", json.dumps(problem))

    def test_where_it_leads(self):
        targets = (b'/"}<script>', b"/%0d%0aX-Forged:1", b"/\xff", b"/?\"}\t{")
        for target in targets:
            with self.subTest(target):
                redirect = b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: " + target + b"\r\n\r\n"
                upstream = self.upstream([redirect, answer(b"{}")])
                head = self.raw_head("/v1/fetch?url=" + upstream.url())
                self.assertNotIn(b"X-Forged", [line[:8] for line in head.split(b"\r\n")])
                for forbidden in (b"<script", b"\xff", b'"}'):
                    self.assertNotIn(forbidden, head)

    def test_what_is_said_of_it_in_an_error(self):
        line = b'Content-Encoding: "}\xff</pre><script>'
        upstream = self.upstream([answer(b"x", line)])
        self.assert_problem(self.server.fetch(upstream.url()), "upstream_protocol")
        (outcome,) = self.server.batch([{"url": upstream.url()}]).outcomes
        self.assertEqual(outcome["error"]["code"], "upstream_protocol")
        self.assertLessEqual(set(outcome), OUTCOME_MEMBERS["error"])


class Pages(ForgeryTest):
    def test_fetched_html_never_runs_on_our_origin(self):
        html = b"<script>alert(document.domain)</script>"
        for kind in (b"text/html", b"image/svg+xml", b"application/xhtml+xml", b"text/xml", b""):
            with self.subTest(kind):
                upstream = self.upstream([answer(html, b"Content-Type: " + kind)])
                response = self.assert_ok(self.server.get("/v1/fetch", url=upstream.url()))
                self.assertEqual(response.body, html)
                policy = response.header("content-security-policy")
                self.assertEqual(policy, "default-src 'none'; sandbox")
                self.assertEqual(response.header("x-content-type-options"), "nosniff")
        processed = self.server.process(html, "identity", {"Content-Type": "text/html"})
        self.assertIn("sandbox", processed.header("content-security-policy"))

    def test_nothing_of_a_request_is_a_page(self):
        for target in ("/<script>", "/errors/<script>", "/errors/%3Cscript%3E", "/v1/fetch?<script>=1"):
            with self.subTest(target), self.server.raw() as client:
                client.send_request("GET", target, headers={"Accept": "text/html"})
                response = client.read_response()
                if response.header("content-type").startswith("text/html"):
                    self.assertNotIn(b"<script>", response.body)


if __name__ == "__main__":
    harness.main()
