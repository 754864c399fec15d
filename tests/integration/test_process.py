"""POST /v1/process: the request's body is the input, and nothing is fetched."""

import hashlib
import json

import harness
from harness import ServerTest

JSON = {"Content-Type": "application/json"}


class Process(ServerTest):
    # Nothing else may be larger, so that this is also all that a slot holds.
    settings = {
        "server.max_body_bytes": 1_000_000,
        "fetch.max_bytes": 1_000_000,
        "merge.max_bytes": 1_000_000,
    }

    def chunked(self, target, chunks, headers=b"", end=b"0\r\n\r\n"):
        with self.server.raw() as client:
            client.send(
                b"POST " + target.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + headers
                + b"Transfer-Encoding: chunked\r\n\r\n"
            )
            for chunk in chunks:
                client.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            client.send(end)
            return client.read_response()

    def test_each_op(self):
        body = json.dumps([{"v": 1.5, "k": "a"}, {"v": 2.5, "k": "b"}]).encode()
        cases = [
            ("identity", {}, body),
            ("json.select", {"pointer": "/1/k"}, b'"b"'),
            ("hash", {"algorithm": "sha256"}, hashlib.sha256(body).hexdigest().encode()),
            ("cpu.loop", {"iterations": 10}, str(len(body) * 45).encode()),
        ]
        for op, parameters, expected in cases:
            with self.subTest(op=op):
                response = self.server.process(body, op, JSON, **parameters)
                self.assertEqual(self.assert_ok(response).body.strip(), expected)
        self.assert_ok(self.server.process(body, "json.validate", JSON))
        result = self.server.process(body, "json.aggregate", JSON, value="/v", group_by="/k").json()
        self.assertEqual((result["sum"], result["groups"]["b"]["sum"]), (4.0, 2.5))

    def test_pipelines(self):
        pipeline = '[{"op":"json.select","pointer":"/a"},{"op":"json.select","pointer":"/b"}]'
        target = "/v1/process?pipeline=" + pipeline.replace('"', "%22")
        response = self.server.request("POST", target, b'{"a":{"b":[1]}}', JSON)
        self.assertEqual(self.assert_ok(response).json(), [1])

    def test_empty_bodies(self):
        empty = hashlib.sha256(b"").hexdigest().encode()
        response = self.server.process(b"", "hash", algorithm="sha256")
        self.assertEqual(self.assert_ok(response).body.strip(), empty)
        response = self.chunked("/v1/process?op=hash&algorithm=sha256", [])
        self.assertEqual(self.assert_ok(response).body.strip(), empty)

    def test_length_and_chunks_give_the_same_bytes(self):
        body = bytes(range(256)) * 1000
        expected = hashlib.sha256(body).hexdigest().encode()
        target = "/v1/process?op=hash&algorithm=sha256"
        self.assertEqual(self.server.request("POST", target, body).body.strip(), expected)
        for size in (1000, 4096, 100_000):
            with self.subTest(size=size):
                chunks = [body[at : at + size] for at in range(0, len(body), size)]
                self.assertEqual(self.chunked(target, chunks).body.strip(), expected)
        with_extras = self.chunked(target, [body], end=b"0\r\nX-Trailer: dropped\r\n\r\n")
        self.assertEqual(with_extras.body.strip(), expected)

    def test_the_media_type_comes_through(self):
        # Parameters that are no printable ASCII, such as a tab between them, are left out.
        for sent in ("text/html", "text/html;\tlevel=1"):
            response = self.server.process(b"<p>", "identity", {"Content-Type": sent})
            self.assertEqual(self.assert_ok(response).header("content-type"), "text/html")
        self.assertEqual(response.header("content-security-policy"), "default-src 'none'; sandbox")

    def test_bodies_of_exactly_the_limit_and_over(self):
        target = "/v1/process?op=identity"
        body = b"x" * 1_000_000
        self.assertEqual(self.server.request("POST", target, body).body, body)
        self.assertEqual(self.chunked(target, [body]).body, body)
        response = self.server.request("POST", target, body + b"x")
        self.assert_problem(response, "payload_too_large")
        self.assert_problem(self.chunked(target, [body, b"x"]), "payload_too_large")

    def test_a_declared_length_over_the_limit_is_refused_before_the_body(self):
        with self.server.raw() as client:
            client.send(
                b"POST /v1/process?op=identity HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Length: 1000001\r\n\r\n"
            )
            self.assert_problem(client.read_response(), "payload_too_large")

    def test_what_is_missing_or_unknown(self):
        response = self.server.request("POST", "/v1/process", b"{}")
        self.assert_problem(response, "invalid_request")
        self.assert_problem(self.server.process(b"{}", "jsn.select"), "unknown_op")
        response = self.server.process(b"{}", "json.select", pointer="", url="http://a/")
        self.assert_problem(response, "unknown_field", field="url")
        response = self.server.process(b"{}", "json.select")
        self.assert_problem(response, "invalid_request", field="pointer")

    def test_bodies_an_op_cannot_process(self):
        for body in (b"", b"{", b'{"a":1}}', b"\xff"):
            with self.subTest(body=body):
                response = self.server.process(body, "json.select", JSON, pointer="", validate="true")
                self.assert_problem(response, "processing_failed", stage="process")

    def test_other_codings_are_refused_not_misread(self):
        response = self.server.process(b"\x1f\x9d", "identity", {"Content-Encoding": "compress"})
        self.assert_problem(response, "unsupported_media_type")

    def test_keep_alive_after_a_body(self):
        with self.server.raw() as client:
            for number in range(5):
                client.send_request("POST", "/v1/process?op=identity", b"body %d" % number)
                self.assertEqual(client.read_response().body, b"body %d" % number)


if __name__ == "__main__":
    harness.main()
