"""A caller's trace: taken over, passed on to upstreams, and in the log; one line a request."""

import json
import threading

import harness
from harness import Fetchmill, ServerTest
from processes import eventually
from upstreams import AnsweringUpstream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class PassingOn(ServerTest):
    def sent(self, body):
        """What of the trace the origin's /echo was sent, as {name: value}."""
        pairs = [(name.lower(), value) for name, value in body["headers"]]
        names = [name for name, _ in pairs]
        self.assertEqual(len(names), len(set(names)))
        return {name: value for name, value in pairs if name.startswith("trace")}

    def echoed(self, headers=None, /, **task):
        task.setdefault("url", self.origin.url("/echo"))
        return self.sent(self.assert_ok(self.server.fetch(request_headers=headers, **task)).json())

    def test_the_upstream_is_a_child_of_ours(self):
        sent = self.echoed({"traceparent": TRACEPARENT, "tracestate": "a=1 , b=2"})
        self.assertRegex(sent["traceparent"], f"^00-{TRACE}-[0-9a-f]{{16}}-01$")
        self.assertNotIn(PARENT, sent["traceparent"])
        self.assertEqual(sent["tracestate"], "a=1,b=2")
        again = self.echoed({"traceparent": TRACEPARENT})
        self.assertNotEqual(again["traceparent"], sent["traceparent"])
        self.assertNotIn("tracestate", again)

    def test_what_is_invalid_is_as_if_it_were_not_there(self):
        for given in (None, "", "00-0-0-0", TRACEPARENT.upper(), TRACEPARENT + "-1"):
            with self.subTest(given):
                self.assertEqual(self.echoed({"traceparent": given, "tracestate": "a=1"}), {})
        self.assertNotIn("tracestate", self.echoed({"traceparent": TRACEPARENT, "tracestate": "A"}))

    def test_a_get_does_so_too(self):
        url = self.origin.url("/echo")
        response = self.server.get("/v1/fetch", {"traceparent": TRACEPARENT}, url=url)
        self.assertIn(TRACE, self.sent(response.json())["traceparent"])

    def test_every_task_of_a_batch_and_of_a_merge(self):
        tasks = [{"url": self.origin.url(f"/echo?{n}")} for n in range(3)]
        headers = {"traceparent": TRACEPARENT}
        bodies = [o["result"] for o in self.server.batch(tasks, headers).outcomes]
        lines = b"".join(json.dumps(task).encode() + b"\n" for task in tasks)
        ndjson = self.server.request(
            "POST", "/v1/batch", lines, {"Content-Type": "application/x-ndjson", **headers}
        )
        bodies += [o["result"] for o in harness.Batch(ndjson).outcomes]
        bodies += self.server.post("/v1/merge", {"tasks": tasks}, headers).json()
        sent = [self.sent(body)["traceparent"] for body in bodies]
        self.assertEqual(len(set(sent)), 9)
        for parent in sent:
            self.assertIn(TRACE, parent)

    def test_a_tasks_own_headers_win(self):
        own = {"TraceParent": "mine"}
        sent = self.echoed({"traceparent": TRACEPARENT, "tracestate": "a=1"}, headers=own)
        self.assertEqual(sent, {"traceparent": "mine"})

    def test_redirects_are_told_too(self):
        url = self.origin.url("/redirect?to=/echo")
        self.assertIn(TRACE, self.echoed({"traceparent": TRACEPARENT}, url=url)["traceparent"])

    def test_requests_of_different_traces_share_a_stored_answer(self):
        def answer(head, _):
            body = b"stored"
            fields = f"Cache-Control: max-age=60\r\nContent-Length: {len(body)}\r\n\r\n"
            return b"HTTP/1.1 200 OK\r\n" + fields.encode() + body

        with AnsweringUpstream(answer) as upstream:
            for trace in (TRACE, TRACE[::-1]):
                headers = {"traceparent": f"00-{trace}-{PARENT}-00"}
                self.assert_ok(self.server.fetch(upstream.url("/"), request_headers=headers))
            self.assertEqual(len(upstream.heads), 1)


class RequestLog(ServerTest):
    settings = {"log.requests": "true"}

    def logged(self, response):
        request_id = response.header("x-request-id")

        def found():
            lines = [e for e in self.server.log if e.get("request_id") == request_id]
            return [e for e in lines if e["message"] == "request"]

        (line,) = eventually(found, "the request is logged")
        self.assertEqual((line["component"], line["level"]), ("http", "info"))
        self.assertRegex(line["duration_ms"], r"^\d+\.\d{3}$")
        return {name: line.get(name) for name in (
            "method", "route", "status", "code", "bytes", "trace_id")}

    def expect(self, response, method, route, code=None, trace_id=None, size=None):
        size = len(response.body) if size is None else size
        self.assertEqual(self.logged(response), {
            "method": method, "route": route, "status": str(response.status), "code": code,
            "bytes": str(size), "trace_id": trace_id})

    def test_a_line_a_request(self):
        url = self.origin.url("/json?records=3")
        self.expect(self.server.get("/livez"), "GET", "health")
        self.expect(self.server.get("/livez", method="HEAD"), "HEAD", "health")
        self.expect(self.server.fetch(url), "POST", "fetch")
        self.expect(self.server.get("/v1/fetch", url=url, method="HEAD"), "HEAD", "fetch")
        self.expect(self.server.batch([{"url": url}]).response, "POST", "batch")
        self.expect(self.server.get("/nowhere"), "GET", "none", "not_found")
        self.expect(self.server.get("/v1/batch"), "GET", "batch", "method_not_allowed")
        self.expect(self.server.fetch("http://10.0.0.1/"), "POST", "fetch", "address_denied")
        self.expect(self.server.request("DELETE", "/secret"), "DELETE", "none", "not_found")

    def test_what_the_gate_refuses(self):
        with self.server.raw() as connection:
            connection.send(b"GET / HTTP/1.1\r\n\r\n")
            response = connection.read_response()
        self.expect(response, "-", "none", "invalid_request")

    def test_who_hung_up(self):
        headers = {"X-Request-Id": "hangs-up", "Content-Type": "application/json"}
        with self.server.raw() as connection:
            body = json.dumps({"url": self.origin.url("/hang")}).encode()
            connection.send_request("POST", "/v1/fetch", body, headers)
            eventually(lambda: self.server.metrics().value("http_requests_in_flight"), "it began")

        def found():
            return [e for e in self.server.log if e.get("request_id") == "hangs-up"]

        (line,) = eventually(found, "the request is logged")
        self.assertEqual((line["status"], line["code"]), ("499", "cancelled"))

    def test_the_trace(self):
        response = self.server.get("/livez", {"traceparent": TRACEPARENT})
        self.expect(response, "GET", "health", trace_id=TRACE)
        url = self.origin.url("/json?records=3")
        response = self.server.fetch(url, request_headers={"traceparent": TRACEPARENT})
        self.expect(response, "POST", "fetch", trace_id=TRACE)

    def test_no_url_and_no_query(self):
        self.server.get("/v1/fetch", url=self.origin.url("/text?text=topsecret"))
        self.logged(self.server.get("/topsecret?topsecret"))
        self.assertNotIn("topsecret", json.dumps(self.server.log))

    def test_a_reader_that_does_not_read_holds_up_nothing(self):
        """The pipe is full: lines are dropped and counted, and requests are answered."""
        with UnreadLog(self.settings) as server:
            eventually(lambda: server.metrics().value("log_dropped_total") > 9, "lines are dropped")
            server.resumed.set()


class UnreadLog(Fetchmill):
    """Reads its log until it listens, and the rest when it is `resumed`."""

    def __init__(self, settings):
        self.resumed = threading.Event()
        super().__init__(settings)

    def _read_log(self):
        for line in self.child.stderr:
            with self._logged:
                self.log.append(json.loads(line))
                self._logged.notify_all()
            if self.log[-1]["message"] == "listening":
                break
        self.resumed.wait()
        super()._read_log()


class Off(ServerTest):
    def test_it_is_off_by_default(self):
        self.assert_ok(self.server.get("/livez"))
        self.assertNotIn("request", [entry.get("message") for entry in self.server.log])


if __name__ == "__main__":
    harness.main()
