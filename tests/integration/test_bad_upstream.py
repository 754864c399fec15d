"""Upstreams that hang, break off, lie and send garbage, and the error each causes."""

import threading

import harness
from harness import ServerTest, free_port
from processes import eventually
from upstreams import HOLD, READ, RESET, Pieces, RawUpstream, answering

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class BadUpstreams(ServerTest):
    def fetch_from(self, *scripts, **task):
        with RawUpstream(*scripts) as upstream:
            return self.server.fetch(upstream.url(), **task)

    def test_an_upstream_that_never_answers(self):
        response = self.server.fetch(self.origin.url("/hang"), timeout_ms=300)
        self.assert_problem(response, "upstream_timeout", stage="fetch")
        eventually(lambda: self.origin.open_requests() == 0, "the connection is given up")

    def test_an_upstream_that_stops_in_the_body(self):
        response = self.fetch_from(
            [READ, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", HOLD], timeout_ms=300
        )
        self.assert_problem(response, "upstream_timeout")

    def test_an_upstream_that_drips(self):
        # Progress does not extend the deadline: it is the whole fetch's.
        url = self.origin.url("/slow?bytes=10000&chunk=1&ms=20")
        self.assert_problem(self.server.fetch(url, timeout_ms=400), "upstream_timeout")

    def test_an_upstream_that_does_not_listen(self):
        response = self.server.fetch(f"http://127.0.0.1:{free_port()}/")
        self.assert_problem(response, "connect_failed", stage="fetch")

    def test_a_name_that_does_not_exist(self):
        self.assert_problem(self.server.fetch("http://nowhere.invalid/"), "dns_failed")

    def test_resets(self):
        for script in ([RESET], [READ, RESET]):
            with self.subTest(script=len(script)):
                code = self.fetch_from(script).json()["code"]
                self.assertIn(code, ("connect_failed", "upstream_protocol"))
        for after in (0, 1, 10_000):
            with self.subTest(after=after):
                response = self.server.fetch(self.origin.url(f"/reset?after={after}"))
                self.assert_problem(response, "upstream_protocol", stage="fetch")

    def test_bodies_shorter_than_declared(self):
        response = self.server.fetch(self.origin.url("/short?declare=1000&send=999"))
        self.assert_problem(response, "upstream_protocol")
        response = self.server.fetch(self.origin.url("/short?declare=1&send=0"))
        self.assert_problem(response, "upstream_protocol")

    def test_a_body_longer_than_declared_is_cut_and_never_taken_for_the_next_answer(self):
        smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
        honest = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        with RawUpstream([READ, honest + smuggled, HOLD], [READ, honest, HOLD]) as upstream:
            for _ in range(2):
                response = self.server.fetch(upstream.url())
                self.assertEqual((response.status, response.body), (200, b"ok"))
        self.assertEqual(self.server.fetch(self.origin.url("/long")).body, b"0123456789")

    def test_unasked_bytes_on_an_idle_connection_are_never_an_answer(self):
        honest = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        early = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"
        answered, spoilt = threading.Event(), threading.Event()
        first = [READ, honest, answered.wait, early, spoilt.set, HOLD]
        with RawUpstream(first, [READ, honest, HOLD]) as upstream:
            self.assertEqual(self.server.fetch(upstream.url()).body, b"ok")
            answered.set()
            spoilt.wait()
            self.assertEqual(self.server.fetch(upstream.url()).body, b"ok")

    def test_answers_that_are_not_http(self):
        answers = {
            "text": b"hello\n\n",
            "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
            "version": b"HTTP/2.0 200 OK\r\n\r\n",
            "version text": b"HTTP/1.x 200 OK\r\n\r\n",
            "status letters": b"HTTP/1.1 2x0 OK\r\n\r\n",
            "status digits": b"HTTP/1.1 2000 OK\r\n\r\n",
            "status below": b"HTTP/1.1 099 OK\r\n\r\n",
            "nothing": b"",
            "half a head": OK + b"Content-Le",
            "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
            "bare CR": OK + b"A: b\rc\r\nContent-Length: 2\r\n\r\nok",
            "NUL": OK + b"A: b\0c\r\nContent-Length: 2\r\n\r\nok",
            "space before colon": OK + b"Content-Length : 2\r\n\r\nok",
            "obs-fold": OK + b"A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
            "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
            "length list": OK + b"Content-Length: 2, 2\r\n\r\nok",
            "negative length": OK + b"Content-Length: -2\r\n\r\nok",
            "huge length": OK + b"Content-Length: 99999999999999999999\r\n\r\nok",
            "both lengths": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"
            b"\r\n2\r\nok\r\n0\r\n\r\n",
            "unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\nok",
            "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
            "junk chunk size": CHUNKED + b"zz\r\nok\r\n",
            "chunk too long": CHUNKED + b"2\r\nokk\r\n0\r\n\r\n",
            "cut chunks": CHUNKED + b"5\r\nok",
            "no last chunk": CHUNKED + b"2\r\nok\r\n",
            "huge head": OK + b"A: " + b"x" * 200_000 + b"\r\n\r\n",
            "endless fields": OK + b"A: b\r\n" * 20_000 + b"\r\n",
            "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        }
        for name, answer in answers.items():
            with self.subTest(name):
                response = self.fetch_from(answering(answer), timeout_ms=60_000)
                problem = self.assert_problem(response, "upstream_protocol", stage="fetch")
                self.assertNotIn("OpenSSH", problem["detail"])

    def test_answers_in_pieces(self):
        answer = CHUNKED + b"2\r\nok\r\n0\r\nA: b\r\n\r\n"
        for size in (1, 2, 3, 5):
            with self.subTest(size=size):
                response = self.fetch_from([READ, Pieces(answer, size), HOLD])
                self.assertEqual((response.status, response.body), (200, b"ok"))

    def test_endless_interim_responses(self):
        response = self.server.fetch(self.origin.url("/interim?n=1000"), timeout_ms=60_000)
        self.assert_problem(response, "upstream_protocol")

    def test_redirects_without_a_usable_location(self):
        no_location = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"
        code = self.fetch_from(answering(no_location)).json()["code"]
        self.assertIn(code, ("upstream_protocol", "upstream_status"))
        empty_host = b"HTTP/1.1 302 Found\r\nLocation: http://\r\nContent-Length: 0\r\n\r\n"
        code = self.fetch_from(answering(empty_host)).json()["code"]
        self.assertIn(code, ("upstream_protocol", "url_denied", "invalid_request"))

    def test_a_plain_text_port_spoken_to_in_tls(self):
        with RawUpstream([b"HTTP/1.1 400 Bad Request\r\n\r\n", HOLD]) as upstream:
            response = self.server.fetch(upstream.url().replace("http:", "https:"))
            self.assert_problem(response, "tls_failed", stage="fetch")

    def test_the_server_is_none_the_worse(self):
        self.assertEqual(self.server.fetch(self.origin.url("/json")).status, 200)
        eventually(lambda: len(self.server.workers()) == 3, "two and the standby run")
        self.assertEqual(self.server.metrics().value("worker_restarts_total"), 0)


if __name__ == "__main__":
    harness.main()
