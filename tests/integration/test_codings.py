"""Content codings: what is asked for, what is undone, and what ends instead of exploding."""

import hashlib
import json
import threading
import time

import codings
import harness
import processes
from harness import ServerTest
from processes import SANITIZED
from upstreams import RawUpstream, answering

MiB = 1 << 20
TEXT = json.dumps([{"id": n, "name": f"name {n * n}"} for n in range(20_000)]).encode()
ASKED = b"Accept-Encoding: gzip, deflate, br, zstd\r\n"


def response(body, *fields):
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    return "\r\n".join([*lines, *fields]).encode() + b"\r\n\r\n" + body


def coded(coding, body, *fields):
    """An upstream that answers every request with `body` under that Content-Encoding."""
    return RawUpstream(answering(response(body, f"Content-Encoding: {coding}", *fields)))


class Fetched(ServerTest):
    settings = {"fetch.max_bytes": 4 * MiB}

    def test_each_coding_is_undone_before_the_pipeline(self):
        for coding, encode in {**codings.ENCODERS, "Deflate": codings.raw_deflate}.items():
            with self.subTest(coding=coding), coded(coding, encode(TEXT)) as upstream:
                response = self.server.fetch(upstream.url(), ("hash", {"algorithm": "sha256"}))
                expected = hashlib.sha256(TEXT).hexdigest()
                self.assertEqual(self.assert_ok(response).body.decode().strip(), expected)
                self.assertIn(ASKED, upstream.heads[0])
                response = self.server.fetch(upstream.url(), "identity")
                self.assertEqual(self.assert_ok(response).body, TEXT)

    def test_without_a_pipeline_the_decoded_bytes_come_with_fields_of_their_own(self):
        with coded("br", codings.br(TEXT), 'ETag: "coded"') as upstream:
            response = self.assert_ok(self.server.fetch(upstream.url()))
            self.assertEqual(response.body, TEXT)
            self.assertEqual(response.header("content-length"), str(len(TEXT)))
            self.assertEqual(response.header("content-type"), "application/json")
            self.assertIsNone(response.header("content-encoding"))
            # The upstream's names the coded bytes.
            self.assertNotEqual(response.header("etag"), '"coded"')
            head = self.server.get("/v1/fetch", method="HEAD", url=upstream.url())
            self.assertEqual(head.header("content-length"), str(len(TEXT)))

    def test_lines_hold_the_decoded_value_and_count_what_came(self):
        body = codings.zstd(b'{"a":1}')
        with coded("zstd", body) as upstream:
            outcome = self.server.batch([{"url": upstream.url()}]).outcomes[0]
            self.assertEqual((outcome["result"], outcome["upstream"]["bytes"]), ({"a": 1}, len(body)))
            outcome = self.server.fetch(upstream.url(), envelope=True).json()
            self.assertEqual(outcome["result"], {"a": 1})

    def test_the_original_by_choice(self):
        body = codings.gzip(TEXT)
        with coded("gzip", body) as upstream:
            response = self.server.fetch(upstream.url(), ("identity", {"decode": False}))
            self.assertEqual(self.assert_ok(response).body, body)
            response = self.server.get("/v1/fetch", url=upstream.url(), op="identity", decode="false")
            self.assertEqual(self.assert_ok(response).body, body)
        with coded("gzip, br", b"anything") as upstream:
            response = self.server.fetch(upstream.url(), ("identity", {"decode": False}), "hash")
            expected = hashlib.sha256(b"anything").hexdigest()
            self.assertEqual(self.assert_ok(response).body.decode().strip(), expected)
        response = self.server.fetch("http://a/", "hash", ("identity", {"decode": False}))
        self.assert_problem(response, "invalid_request", field="pipeline[1].decode")

    def test_a_caller_who_sets_accept_encoding_gets_what_comes(self):
        body = codings.gzip(TEXT)
        with coded("gzip", body) as upstream:
            for steps in ((), ("identity",)):
                headers = {"accept-encoding": "gzip"}
                response = self.server.fetch(upstream.url(), *steps, headers=headers)
                self.assertEqual(self.assert_ok(response).body, body)
            self.assertNotIn(ASKED, upstream.heads[-1])

    def test_a_range_is_asked_for_without_a_coding(self):
        with coded("identity", b"0123") as upstream:
            response = self.server.fetch(upstream.url(), headers={"Range": "bytes=0-3"})
            self.assertEqual(self.assert_ok(response).body, b"0123")
            self.assertIn(b"\r\nAccept-Encoding: identity\r\n", upstream.heads[0])

    def test_no_coding_and_no_body(self):
        for field in ("Content-Encoding: identity", "Content-Encoding:", "X: y"):
            with RawUpstream(answering(response(TEXT, field, 'ETag: "a"'))) as upstream:
                fetched = self.assert_ok(self.server.fetch(upstream.url()))
                self.assertEqual((fetched.body, fetched.header("etag")), (TEXT, '"a"'))
        for coding in (*codings.ENCODERS, "unheard-of"):
            with self.subTest(coding=coding), coded(coding, b"") as upstream:
                self.assertEqual(self.assert_ok(self.server.fetch(upstream.url())).body, b"")
                fetched = self.server.fetch(upstream.url(), "identity")
                self.assertEqual(self.assert_ok(fetched).body, b"")
                fetched = self.server.fetch(upstream.url(), method="HEAD")
                self.assertEqual(self.assert_ok(fetched).body, b"")

    def test_other_codings_and_more_than_one_are_refused(self):
        body = codings.gzip(codings.gzip(TEXT))
        for fields in (
            ["Content-Encoding: gzip, gzip"],
            ["Content-Encoding: gzip", "Content-Encoding: br"],
            ["Content-Encoding: compress"],
            ["Content-Encoding: utf-8"],
        ):
            with self.subTest(fields=fields):
                with RawUpstream(answering(response(body, *fields))) as upstream:
                    fetched = self.server.fetch(upstream.url(), "identity")
                    problem = self.assert_problem(fetched, "upstream_protocol", stage="fetch")
                    self.assertIn("Content-Encoding", problem["detail"])

    def test_broken_bodies_are_never_half_a_result(self):
        for coding, encode in codings.ENCODERS.items():
            whole = encode(TEXT)
            broken = {
                "cut": whole[:-1],
                "half": whole[: len(whole) // 2],
                "more": whole + b"\0",
                "other": TEXT,
            }
            for name, body in broken.items():
                with self.subTest(coding=coding, body=name), coded(coding, body) as upstream:
                    for steps in ((), ("identity",)):
                        fetched = self.server.fetch(upstream.url(), *steps)
                        problem = self.assert_problem(fetched, "upstream_protocol", stage="fetch")
                        self.assertIn("is not valid", problem["detail"])
        with coded("gzip", b"nonsense") as upstream:
            error = self.server.batch([{"url": upstream.url()}]).outcomes[0]["error"]
            self.assertEqual((error["code"], error["stage"]), ("upstream_protocol", "fetch"))

    def test_max_bytes_bounds_what_is_decoded(self):
        for coding, encode in codings.ENCODERS.items():
            with self.subTest(coding=coding), coded(coding, encode(TEXT)) as upstream:
                fetched = self.server.fetch(upstream.url(), max_bytes=len(TEXT))
                self.assertEqual(self.assert_ok(fetched).body, TEXT)
                fetched = self.server.fetch(upstream.url(), max_bytes=len(TEXT) - 1)
                self.assert_problem(fetched, "upstream_body_too_large", stage="fetch")


class Processed(ServerTest):
    settings = {"server.max_body_bytes": len(TEXT)}

    def process(self, coding, body, **parameters):
        return self.server.process(body, "identity", {"Content-Encoding": coding}, **parameters)

    def test_request_bodies_in_each_coding(self):
        for coding, encode in codings.ENCODERS.items():
            with self.subTest(coding=coding):
                self.assertEqual(self.assert_ok(self.process(coding, encode(TEXT))).body, TEXT)
        self.assertEqual(self.assert_ok(self.process("gzip", b"any", decode="false")).body, b"any")

    def test_mistakes_are_the_clients(self):
        self.assert_problem(self.process("gzip", b"any"), "invalid_request", stage="process")
        self.assert_problem(self.process("gzip, br", b"any"), "unsupported_media_type")
        self.assert_problem(self.process("compress", b"any"), "unsupported_media_type")
        response = self.process("gzip", codings.gzip(TEXT + b" "))
        self.assert_problem(response, "payload_too_large", stage="process")


class Bombs(ServerTest):
    def memory(self):
        """Of all the server's processes, what several share divided among them."""
        pids = [self.server.child.pid, *processes.descendants(self.server.child.pid)]
        return sum(proportional_bytes(pid) for pid in pids)

    def test_eight_at_once_end_soon_in_little_memory(self):
        bombs = {
            "gzip": codings.gzip_bomb(),
            "deflate": codings.deflate_bomb(),
            "br": codings.br_bomb(),
            "zstd": codings.zstd_bomb(),
        }
        upstreams = [coded(coding, bomb) for coding, bomb in bombs.items()] * 2
        idle = self.memory()
        responses = []
        started = time.monotonic()
        threads = [
            threading.Thread(target=lambda url=upstream.url(): responses.append(self.server.fetch(url)))
            for upstream in upstreams
        ]
        for thread in threads:
            thread.start()
        peak = idle
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, self.memory())
        took = time.monotonic() - started
        for upstream in upstreams[:4]:
            upstream.__exit__()
        for response in responses:
            self.assert_problem(response, "upstream_body_too_large", stage="fetch")
        self.assertEqual(len(responses), 8)
        self.assertLess(took, processes.bound(5))
        if not SANITIZED:
            self.assertLess(peak - idle, 64 * MiB)
        self.assertEqual(self.server.metrics().value("worker_restarts_total"), 0)


def proportional_bytes(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line and "kB" in line)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(lines["Pss"].split()[0]) * 1024


if __name__ == "__main__":
    harness.main()
