"""The cache and coalescing: what upstreams see of it, and what clients are told."""

import gzip
import threading
import time

import harness
from harness import ServerTest
from processes import bound, eventually
from upstreams import CLOSE, HOLD, READ, AnsweringUpstream, RawUpstream, answering


def answer(body, *fields, status="200 OK"):
    data = body if isinstance(body, bytes) else body.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + data


NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\n%s\r\n"
FRESH = "Cache-Control: max-age=60"
# Stale as they come, so that nothing has to wait for time to pass.
STALE = ("Cache-Control: max-age=10, stale-while-revalidate=600", "Age: 10")
STALE_ON_ERROR = ("Cache-Control: max-age=10, stale-if-error=600", "Age: 10")


def numbered(*fields):
    """Each answer tells its number."""
    return lambda head, number: answer(f"n{number}", *fields)


class Cache(ServerTest):
    def get(self, upstream, **task):
        (outcome,) = self.server.batch([{"url": upstream.url("/x"), **task}]).outcomes
        return outcome.get("text"), outcome.get("cache")

    def results(self, result):
        return self.server.metrics().value("fetch_cache_requests_total", result=result)

    def test_a_fresh_answer_is_used_again(self):
        hits = self.results("hit")
        with AnsweringUpstream(numbered(FRESH)) as upstream:
            self.assertEqual(self.get(upstream), ("n1", "miss"))
            self.assertEqual(self.get(upstream), ("n1", "hit"))
            self.assertEqual(len(upstream.heads), 1)
            (outcome,) = self.server.batch([{"url": upstream.url("/x")}]).outcomes
            self.assertEqual(outcome["attempts"], 0)
            self.assertNotIn("connect", outcome["timings_ms"])
            self.assertEqual(outcome["upstream"]["status"], 200)
            self.assertEqual(outcome["upstream"]["bytes"], 2)
            self.assertEqual(outcome["upstream"]["final_url"], upstream.url("/x"))
        self.assertEqual(self.results("hit"), hits + 2)

    def test_what_says_so_is_not_kept(self):
        for fields in (
            [],
            ["ETag: \"a\""],
            ["Cache-Control: no-store, max-age=60"],
            ["Cache-Control: private, max-age=60"],
            [FRESH, "Set-Cookie: a=b"],
            [FRESH, "Vary: *"],
            ["Expires: 0"],
        ):
            with self.subTest(fields=fields), AnsweringUpstream(numbered(*fields)) as upstream:
                self.assertEqual(self.get(upstream), ("n1", "miss"))
                self.assertEqual(self.get(upstream), ("n2", "miss"))

    def test_cache_status_and_age(self):
        with AnsweringUpstream(numbered("Cache-Control: max-age=600", "Age: 100")) as upstream:
            first = self.server.get("/v1/fetch", url=upstream.url())
            self.assertRegex(
                first.header("cache-status"),
                r"^fetchmill; fwd=uri-miss; fwd-status=200; ttl=(500|49\d); stored$",
            )
            # What is passed on is as old as it came.
            self.assertEqual(first.header("age"), "100")
            self.assertEqual(first.header("cache-control"), "max-age=600")
            second = self.server.get("/v1/fetch", url=upstream.url())
            self.assertRegex(second.header("cache-status"), r"^fetchmill; hit; ttl=(500|49\d)$")
            self.assertRegex(second.header("age"), r"^10\d$")
            self.assertEqual(second.body, b"n1")
            head = self.server.get("/v1/fetch", method="HEAD", url=upstream.url())
            self.assertRegex(head.header("cache-status"), "; hit;")
            post = self.server.fetch(upstream.url("/other"), method="POST")
            self.assertEqual(post.header("cache-status"), "fetchmill; fwd=method")

    def test_vary(self):
        def by_language(head, number):
            return answer(f"n{number}", FRESH, "Vary: Accept-Language")

        with AnsweringUpstream(by_language) as upstream:
            for language, age, expected in (
                ("de", 10, ("n1", "miss")),
                ("fr", 10, ("n2", "miss")),
                ("de", 20, ("n1", "hit")),
                ("fr", 20, ("n2", "hit")),
            ):
                # How the cache is to be used is no part of what the answer is to.
                headers = {"Accept-Language": language, "Cache-Control": f"max-age={age}"}
                self.assertEqual(self.get(upstream, headers=headers), expected)
            response = self.server.get("/v1/fetch", url=upstream.url("/x"))
            self.assertIn("fwd=vary-miss", response.header("cache-status"))

    def test_clients_do_not_see_what_others_have_bent(self):
        for field in ("X-Forwarded-Host", "User-Agent", "Accept-Language", "Accept-Encoding"):
            with AnsweringUpstream(numbered("Cache-Control: public, max-age=60")) as upstream:
                bent = {field: "evil.example"}
                self.assertEqual(self.get(upstream, headers=bent), ("n1", "miss"))
                self.assertEqual(self.get(upstream), ("n2", "miss"))
                self.assertEqual(self.get(upstream, headers=bent), ("n1", "hit"))

    def test_credentials(self):
        token = {"Authorization": "Bearer a"}
        with AnsweringUpstream(numbered(FRESH)) as upstream:
            self.assertEqual(self.get(upstream, headers=token), ("n1", "miss"))
            self.assertEqual(self.get(upstream, headers=token), ("n2", "miss"))
        with AnsweringUpstream(numbered("Cache-Control: s-maxage=60")) as upstream:
            self.assertEqual(self.get(upstream, headers=token), ("n1", "miss"))
            self.assertEqual(self.get(upstream, headers=token), ("n1", "hit"))
            self.assertEqual(self.get(upstream, headers={"Authorization": "b"}), ("n2", "miss"))

    def test_a_304_keeps_the_body_and_renews_the_head(self):
        def validating(head, number):
            if 'If-None-Match: "v"' in head:
                return NOT_MODIFIED % b'Cache-Control: max-age=60\r\nETag: "v"\r\n'
            return answer("body", "Cache-Control: no-cache", 'ETag: "v"', "Content-Type: text/plain")

        with AnsweringUpstream(validating) as upstream:
            self.assertEqual(self.get(upstream), ("body", "miss"))
            response = self.server.get("/v1/fetch", url=upstream.url("/x"))
            self.assertEqual((response.status, response.body), (200, b"body"))
            self.assertEqual(response.header("content-type"), "text/plain")
            self.assertEqual(response.header("fetchmill-upstream-status"), "200")
            self.assertIn("fwd=stale; fwd-status=304", response.header("cache-status"))
            self.assertEqual(self.get(upstream), ("body", "hit"))
            self.assertEqual(len(upstream.heads), 2)

    def test_last_modified_validates_too(self):
        def validating(head, number):
            if "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT" in head:
                return NOT_MODIFIED % b""
            modified = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"
            return answer("body", "Cache-Control: max-age=0", modified)

        with AnsweringUpstream(validating) as upstream:
            self.assertEqual(self.get(upstream), ("body", "miss"))
            self.assertEqual(self.get(upstream), ("body", "revalidated"))

    def test_a_changed_answer_replaces_the_stored_one(self):
        def changing(head, number):
            return answer(f"n{number}", "Cache-Control: no-cache", f'ETag: "{number}"')

        with AnsweringUpstream(changing) as upstream:
            self.assertEqual(self.get(upstream), ("n1", "miss"))
            self.assertEqual(self.get(upstream), ("n2", "miss"))
            self.assertIn(b'If-None-Match: "1"', upstream.heads[1])
            self.assertEqual(self.get(upstream), ("n3", "miss"))
            self.assertIn(b'If-None-Match: "2"', upstream.heads[2])

    def test_stale_while_revalidate(self):
        def renewing(head, number):
            return answer(f"n{number}", *(STALE if number == 1 else [FRESH]))

        with AnsweringUpstream(renewing) as upstream:
            self.assertEqual(self.get(upstream), ("n1", "miss"))
            self.assertEqual(self.get(upstream), ("n1", "stale"))
            eventually(lambda: self.get(upstream) == ("n2", "hit"), "the new answer is used")
            self.assertEqual(len(upstream.heads), 2)

    def test_stale_if_error(self):
        def failing(head, number):
            if number == 1:
                return answer("good", *STALE_ON_ERROR)
            return answer("", status="503 Service Unavailable") if number == 2 else None

        with AnsweringUpstream(failing) as upstream:
            self.assertEqual(self.get(upstream), ("good", "miss"))
            response = self.server.get("/v1/fetch", url=upstream.url("/x"))
            self.assertEqual((response.status, response.body), (200, b"good"))
            self.assertRegex(
                response.header("cache-status"), r"^fetchmill; fwd=stale; fwd-status=503; ttl=-?\d"
            )
        self.assertEqual(self.get(upstream), ("good", "stale"), "nobody listens any more")

    def test_no_stale_answer_where_none_is_allowed(self):
        def failing(head, number):
            if number == 1:
                return answer("good", "Cache-Control: max-age=0", 'ETag: "a"')
            return answer("", status="500 Oops")

        with AnsweringUpstream(failing) as upstream:
            self.assertEqual(self.get(upstream), ("good", "miss"))
            self.assert_problem(
                self.server.fetch(upstream.url("/x")), "upstream_status", upstream_status=500
            )

    def test_the_task_decides(self):
        with AnsweringUpstream(numbered(FRESH)) as upstream:
            url = upstream.url("/x")
            for refused in (
                self.server.fetch(url, cache="only_if_cached"),
                self.server.get("/v1/fetch", url=url, cache="only_if_cached"),
                self.server.fetch(url, method="POST", cache="only_if_cached"),
                self.server.fetch(url, headers={"Cache-Control": "only-if-cached"}),
            ):
                self.assert_problem(refused, "not_cached", stage="fetch")
            self.assertEqual(upstream.heads, [])
            self.assertEqual(self.get(upstream, cache="bypass"), ("n1", "bypass"))
            self.assertEqual(self.get(upstream), ("n2", "miss"))
            self.assertEqual(self.get(upstream, cache="only_if_cached"), ("n2", "hit"))
            self.assertEqual(self.get(upstream, cache="bypass"), ("n3", "bypass"))
            self.assertEqual(self.get(upstream, cache="refresh"), ("n4", "miss"))
            self.assertEqual(self.get(upstream, cache="default"), ("n4", "hit"))

    def test_conditions_and_ranges_are_the_clients_own(self):
        with AnsweringUpstream(numbered(FRESH)) as upstream:
            self.assertEqual(self.get(upstream), ("n1", "miss"))
            for number, headers in enumerate(({"Range": "bytes=0-1"}, {"If-Match": '"a"'}), 2):
                self.assertEqual(self.get(upstream, headers=headers), (f"n{number}", "bypass"))

    def test_an_unsafe_method_drops_what_is_stored(self):
        with AnsweringUpstream(numbered(FRESH)) as upstream:
            self.assertEqual(self.get(upstream), ("n1", "miss"))
            self.assertEqual(self.server.fetch(upstream.url("/x"), method="PUT").status, 200)
            self.assertEqual(self.get(upstream), ("n3", "miss"))

    def test_a_coded_body_is_kept_as_it_came(self):
        packed = gzip.compress(b"unpacked" * 100)
        with RawUpstream(
            [READ, answer(packed, FRESH, "Content-Encoding: gzip"), HOLD]
        ) as upstream:
            for expected in ("miss", "hit"):
                text, result = self.get(upstream)
                self.assertEqual((text, result), ("unpacked" * 100, expected))

    def test_large_bodies(self):
        body = bytes(range(256)) * 4000  # within the limit, and more than one turn
        with AnsweringUpstream(lambda head, number: answer(body, FRESH)) as upstream:
            for _ in range(2):
                response = self.server.get("/v1/fetch", url=upstream.url())
                self.assertEqual(response.body, body)
            self.assertEqual(len(upstream.heads), 1)
            refused = self.server.fetch(upstream.url("/"), max_bytes=1000)
            self.assert_problem(refused, "upstream_body_too_large")
        with AnsweringUpstream(lambda head, number: answer(body + body, FRESH)) as upstream:
            for expected in ("fwd-status=200", "fwd-status=200"):
                response = self.server.get("/v1/fetch", url=upstream.url())
                self.assertTrue(response.header("cache-status").endswith(expected))

    def test_statuses(self):
        with AnsweringUpstream(
            lambda head, number: answer("gone", FRESH, status="404 Not Found")
        ) as upstream:
            task = {"accept_status": [404]}
            self.assertEqual(self.get(upstream, **task), ("gone", "miss"))
            self.assertEqual(self.get(upstream, **task), ("gone", "hit"))
            refused = self.server.fetch(upstream.url("/x"))
            self.assert_problem(refused, "upstream_status", upstream_status=404)
            self.assertEqual(len(upstream.heads), 1)


class Coalescing(ServerTest):
    def test_identical_requests_share_one_fetch(self):
        with RawUpstream(answering(answer("one", FRESH))) as upstream:
            # So few that they begin in one turn of the loop: none can find the answer stored.
            batch = self.server.batch([{"url": upstream.url()}] * 30, concurrency=30)
            self.assertEqual({outcome["text"] for outcome in batch.outcomes}, {"one"})
            results = sorted(outcome["cache"] for outcome in batch.outcomes)
            self.assertEqual(results, ["collapsed"] * 29 + ["miss"])
            self.assertEqual(len(upstream.heads), 1)

    def test_what_is_for_nobody_else_is_fetched_by_all_at_once(self):
        together = threading.Barrier(7, timeout=bound(20))

        def private(head, number):
            # The seven who waited come together, and none before the first has its answer.
            if number > 1:
                together.wait()
            return answer(f"n{number}", "Cache-Control: private")

        with AnsweringUpstream(private) as upstream:
            batch = self.server.batch([{"url": upstream.url()}] * 8)
            self.assertEqual({o["text"] for o in batch.outcomes}, {f"n{i}" for i in range(1, 9)})
            self.assertEqual({o["cache"] for o in batch.outcomes}, {"miss"})

    def test_different_requests_do_not_wait_for_each_other(self):
        with AnsweringUpstream(numbered(FRESH)) as upstream:
            tasks = [{"url": upstream.url(), "headers": {"Accept": str(n)}} for n in range(3)]
            tasks.append({"url": upstream.url(), "cache": "bypass"})
            self.server.batch(tasks)
            self.assertEqual(len(upstream.heads), 4)

    def test_when_the_leader_hangs_up_another_takes_over(self):
        head, body = answer("whole", FRESH)[:-5], b"whole"
        script = [READ, head, body[:2], HOLD]
        with RawUpstream(script, [READ, head + body, HOLD]) as upstream:
            in_flight = self.in_flight()
            with self.server.raw() as leader:
                leader.send_request("GET", f"/v1/fetch?url={upstream.url()}")
                eventually(lambda: len(upstream.heads) == 1, "the leader asks")
                batch = self.start_batch([{"url": upstream.url()}] * 5)
                eventually(lambda: self.in_flight() == in_flight + 2, "the others wait")
                self.assertEqual(len(upstream.heads), 1)
            outcomes = batch().outcomes
            self.assertEqual({outcome["text"] for outcome in outcomes}, {"whole"})
            self.assertEqual(
                sorted(outcome["cache"] for outcome in outcomes), ["collapsed"] * 4 + ["miss"]
            )
            self.assertEqual(len(upstream.heads), 2)

    def test_a_follower_keeps_its_own_deadline(self):
        with RawUpstream([READ, answer("12345", FRESH)[:-2], HOLD]) as upstream:
            with self.server.raw() as leader:
                leader.send_request("GET", f"/v1/fetch?url={upstream.url()}")
                eventually(lambda: len(upstream.heads) == 1, "the leader asks")
                follower = self.server.fetch(upstream.url(), timeout_ms=50)
                self.assert_problem(follower, "upstream_timeout", stage="fetch")
                self.assertEqual(len(upstream.heads), 1)

    def test_a_request_that_hangs_holds_nobody_for_long(self):
        release = threading.Event()

        def hanging(head, number):
            if number == 2:
                release.wait(timeout=bound(20))
            return answer(f"n{number}", FRESH, "Age: 5")

        with AnsweringUpstream(hanging) as upstream:
            self.server.fetch(upstream.url())
            # What is stored does not answer it, though others could use it.
            task = {"url": upstream.url(), "headers": {"Cache-Control": "max-age=1"}}
            leader = self.start_batch([task])
            eventually(lambda: len(upstream.heads) == 2, "the leader asks")
            follower = self.server.fetch(**task, timeout_ms=bound(2000))
            self.assertEqual(self.assert_ok(follower).body, b"n3")
            release.set()
            leader()

    def test_who_has_waited_in_vain_looks_again(self):
        release = threading.Event()

        def hanging(head, number):
            if number == 1:
                release.wait(timeout=bound(20))
            return answer(f"n{number}", FRESH)

        with AnsweringUpstream(hanging) as upstream:
            in_flight = self.in_flight()
            leader = self.start_batch([{"url": upstream.url()}])
            eventually(lambda: len(upstream.heads) == 1, "the leader asks")
            follower = self.start_batch([{"url": upstream.url()}])
            eventually(lambda: self.in_flight() == in_flight + 2, "another waits")
            self.assertEqual(self.server.fetch(upstream.url(), cache="refresh").body, b"n2")
            (outcome,) = follower().outcomes
            self.assertEqual((outcome["text"], outcome["cache"]), ("n2", "collapsed"))
            release.set()
            leader()

    def test_a_new_leader_has_to_show_that_it_is_worth_waiting_for(self):
        whole = answer("whole", FRESH)
        release = threading.Event()
        hanging = [READ, lambda: release.wait(timeout=bound(20)), CLOSE]
        with RawUpstream([READ, whole[:-2], HOLD], hanging, [READ, whole, HOLD]) as upstream:
            in_flight = self.in_flight()
            with self.server.raw() as leader:
                leader.send_request("GET", f"/v1/fetch?url={upstream.url()}")
                eventually(lambda: len(upstream.heads) == 1, "the leader asks")
                others = self.start_batch([{"url": upstream.url(), "retries": 0}] * 2)
                eventually(lambda: self.in_flight() == in_flight + 2, "the others wait")
                patient = time.monotonic() + 1.1
                eventually(lambda: time.monotonic() > patient, "they do so for the body")
            eventually(lambda: len(upstream.heads) == 3, "one hangs, and the other goes itself")
            release.set()
            self.assertEqual(sorted(o["type"] for o in others().outcomes), ["error", "result"])

    def test_a_leader_that_fails_lets_all_go(self):
        with RawUpstream([READ, CLOSE]) as upstream:
            batch = self.server.batch([{"url": upstream.url(), "retries": 0}] * 5)
            codes = {outcome["error"]["code"] for outcome in batch.outcomes}
            self.assertEqual(codes, {"upstream_protocol"})
            self.assertEqual(len(upstream.heads), 5)

    def in_flight(self):
        return self.server.metrics().value("http_requests_in_flight")

    def start_batch(self, tasks):
        """Starts it; calling what it returns waits for it."""
        results = []
        thread = threading.Thread(target=lambda: results.append(self.server.batch(tasks)))
        thread.start()

        def wait():
            thread.join(timeout=bound(20))
            return results[0]

        return wait


class Bounds(ServerTest):
    settings = {"fetch.cache_mb": 1, "fetch.cache_entry_kb": 100}

    def test_the_budget_holds(self):
        def large(head, number):
            size = 120_000 if "/too" in head else 90_000
            return answer("x" * size, FRESH)

        with AnsweringUpstream(large) as upstream:
            tasks = [{"url": upstream.url(f"/{n}"), "pipeline": [{"op": "hash"}]} for n in range(40)]
            # One after the other: of many at once any may be the last.
            self.assertEqual(self.server.batch(tasks, concurrency=1).summary["ok"], 40)
            metrics = self.server.metrics()
            self.assertLessEqual(metrics.value("fetch_cache_bytes"), 1024 * 1024)
            self.assertIn(metrics.value("fetch_cache_entries"), range(8, 12))
            self.assertGreaterEqual(metrics.value("fetch_cache_evictions_total"), 25)
            newest = self.server.fetch(upstream.url("/39"), cache="only_if_cached")
            self.assertEqual(newest.status, 200)
            self.assert_problem(
                self.server.fetch(upstream.url("/0"), cache="only_if_cached"), "not_cached"
            )
            self.server.fetch(upstream.url("/too"))
            self.assert_problem(
                self.server.fetch(upstream.url("/too"), cache="only_if_cached"), "not_cached"
            )


class Off(ServerTest):
    settings = {"fetch.cache_mb": 0}

    def test_nothing_is_kept_and_nobody_waits(self):
        with AnsweringUpstream(numbered(FRESH)) as upstream:
            batch = self.server.batch([{"url": upstream.url()}] * 5)
            self.assertEqual({outcome["cache"] for outcome in batch.outcomes}, {"bypass"})
            self.assertEqual(len(upstream.heads), 5)
            refused = self.server.fetch(upstream.url(), cache="only_if_cached")
            self.assert_problem(refused, "not_cached")


if __name__ == "__main__":
    harness.main()
