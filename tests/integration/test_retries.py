"""Retries, the rate of requests and the breaker: what upstreams and clients see of them."""

import time

import harness
from harness import ServerTest, free_port
from processes import eventually, with_more_time
from upstreams import CLOSE, HOLD, READ, RESET, AnsweringUpstream, RawUpstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback"


def unavailable(*fields):
    lines = ["HTTP/1.1 503 Service Unavailable", "Content-Length: 0", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


class Retries(ServerTest):
    def retries(self, reason):
        return self.server.metrics().value("fetch_retries_total", reason=reason)

    def test_a_moment_of_503(self):
        before = self.retries("503")
        with RawUpstream([READ, unavailable(), READ, OK, HOLD]) as upstream:
            batch = self.server.batch([{"url": upstream.url()}])
            (outcome,) = batch.outcomes
            self.assertEqual((outcome["text"], outcome["attempts"]), ("back", 2))
            self.assertEqual(len(upstream.heads), 2)
            self.assertEqual(upstream.heads[0], upstream.heads[1])
        self.assertEqual(self.retries("503"), before + 1)

    def test_a_reset_before_the_answer(self):
        with RawUpstream([READ, RESET], [READ, OK, HOLD]) as upstream:
            self.assertEqual(self.server.fetch(upstream.url()).body, b"back")
            self.assertEqual(upstream.connections, 2)

    def test_a_post_is_never_sent_twice(self):
        for script in ([READ, RESET], [READ, unavailable("Retry-After: 0"), CLOSE]):
            with self.subTest(script=len(script)), RawUpstream(script) as upstream:
                response = self.server.fetch(upstream.url(), method="POST", body="once")
                self.assertIn(
                    response.json()["code"], ("upstream_protocol", "upstream_status")
                )
                self.assertEqual(len(upstream.heads), 1)

    def test_an_answer_that_comes_before_the_body_was_sent(self):
        refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"
        for method in ("POST", "PUT"):
            # It closes with most of the body unread, which makes a reset of it.
            with self.subTest(method), RawUpstream([READ, refusal]) as upstream:
                response = self.server.fetch(upstream.url(), method=method, body="x" * 12_000_000)
                self.assert_problem(response, "upstream_status", upstream_status=413)
                self.assertEqual(upstream.connections, 1)

    def test_a_post_that_is_cut_short_is_never_sent_twice(self):
        with RawUpstream([READ, RESET]) as upstream:
            response = self.server.fetch(upstream.url(), method="POST", body="x" * 12_000_000)
            self.assert_problem(response, "upstream_protocol")
            self.assertEqual(upstream.connections, 1)

    def test_a_post_never_meets_a_connection_that_may_be_about_to_close(self):
        # The upstream closes what was idle for a while at the very moment the next request comes.
        with RawUpstream([READ, OK, READ, RESET], [READ, OK, HOLD]) as upstream:
            self.assertEqual(self.server.fetch(upstream.url()).body, b"back")
            time.sleep(0.6)
            response = self.server.fetch(upstream.url(), method="POST", body="once")
            self.assertEqual(response.body, b"back")
            self.assertEqual(upstream.connections, 2)

    def test_a_task_may_ask_for_none(self):
        forms = (
            lambda url: self.server.fetch(url, retries=0),
            lambda url: self.server.get("/v1/fetch", url=url, retries=0),
        )
        for fetch in forms:
            with RawUpstream([READ, unavailable("Retry-After: 7"), CLOSE]) as upstream:
                response = fetch(upstream.url())
                self.assert_problem(
                    response, "upstream_status", upstream_status=503, retry_after_ms=7000
                )
                self.assertEqual(response.header("retry-after"), "7")
                self.assertEqual(len(upstream.heads), 1)

    def test_a_batch_leaves_an_upstream_alone_that_asks_for_it(self):
        with AnsweringUpstream(lambda *_: unavailable("Retry-After: 50")) as upstream:
            tasks = [{"url": upstream.url(f"/{n}")} for n in range(200)]
            outcomes = self.server.batch(tasks, concurrency=4).outcomes
            self.assertLessEqual(len(upstream.heads), 4)
        ends = [outcome["error"]["code"] for outcome in outcomes]
        self.assertEqual(ends.count("upstream_status"), len(upstream.heads))
        self.assertEqual(ends.count("rate_limited"), len(tasks) - len(upstream.heads))
        for outcome in outcomes:
            self.assertGreater(outcome["error"]["retry_after_ms"], 20_000)

    def test_a_wait_that_takes_too_long_is_not_begun(self):
        with RawUpstream([READ, unavailable("Retry-After: 3600"), HOLD]) as upstream:
            (outcome,) = self.server.batch([{"url": upstream.url()}]).outcomes
        self.assertEqual(outcome["attempts"], 1)
        self.assertEqual(outcome["error"]["code"], "upstream_status")
        self.assertEqual(outcome["error"]["retry_after_ms"], 3_600_000)
        self.assertIs(outcome["error"]["retryable"], True)

    def test_a_client_that_hangs_up_ends_the_wait(self):
        before = self.retries("503")
        cancelled = self.server.metrics().value("fetch_requests_total", outcome="cancelled")
        with RawUpstream([READ, unavailable("Retry-After: 10"), CLOSE]) as upstream:
            with self.server.raw() as client:
                client.send_request("GET", f"/v1/fetch?url={upstream.url()}")
                eventually(lambda: self.retries("503") > before, "the fetch waits")
            eventually(
                lambda: self.server.metrics().value("fetch_requests_total", outcome="cancelled")
                > cancelled,
                "the fetch ends",
                within=5,
            )
            self.assertEqual(len(upstream.heads), 1)


class Limits(ServerTest):
    settings = {
        "fetch.retries": 0,
        "fetch.breaker_failures": 2,
        "fetch.breaker_failing_ms": 0,
        "fetch.breaker_open_ms": 600_000,
        "fetch.rate_per_origin": 20,
        "fetch.burst_per_origin": 1,
    }

    def test_an_origin_nobody_can_connect_to_is_left_alone(self):
        url = f"http://127.0.0.1:{free_port()}/"
        for _ in range(2):
            self.assert_problem(self.server.fetch(url), "connect_failed")
        response = self.server.fetch(url)
        self.assert_problem(response, "circuit_open", stage="fetch")
        self.assertGreater(int(response.header("retry-after")), 500)
        self.assertEqual(self.server.fetch(self.origin.url("/json")).status, 200)
        metrics = self.server.metrics()
        self.assertEqual(metrics.value("fetch_circuit_changes_total", state="open"), 1)

    def test_the_rate_of_an_origin(self):
        started = time.monotonic()
        batch = self.server.batch([{"url": self.origin.url("/json")}] * 7)
        self.assertEqual(batch.summary["ok"], 7)
        self.assertGreaterEqual(time.monotonic() - started, 0.25)

    def test_who_cannot_wait_for_its_turn_is_told_so(self):
        def run(timeout_ms):
            # Five times as many as the rate allows in that time.
            task = {"url": self.origin.url("/json"), "timeout_ms": timeout_ms}
            batch = self.server.batch([task] * (timeout_ms // 10))
            ends = [outcome.get("error", {}).get("code", "ok") for outcome in batch.outcomes]
            self.assertIn("ok", ends)
            self.assertIn("rate_limited", ends)
            self.assertLessEqual(set(ends), {"ok", "rate_limited", "upstream_timeout"})

        with_more_time(run, 400, 3000, 10_000)


if __name__ == "__main__":
    harness.main()
