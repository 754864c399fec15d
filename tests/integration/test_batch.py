"""POST /v1/batch: many tasks in one exchange, one outcome each, the summary last."""

import base64
import contextlib
import json
import threading
import time

import harness
from harness import ServerTest
from processes import bound, eventually, with_more_time
from upstreams import CLOSE, READ, AnsweringUpstream, RawUpstream, answering

SELECT_DELAY = [{"op": "json.select", "pointer": "/delay"}]


class Output(ServerTest):
    def tasks(self, *delays):
        """One task a delay; its id is its number."""
        return [
            {"url": self.origin.url(f"/delay?ms={delay}"), "id": str(number)}
            for number, delay in enumerate(delays)
        ]

    def test_a_results_limit_counts_its_own_bytes(self):
        url = self.origin.url("/bytes?n=100")
        for limit, type_ in ((100, "result"), (99, "error")):
            task = {"url": url, "max_result_bytes": limit}
            with self.subTest(limit):
                (outcome,) = self.server.batch([task]).outcomes
                self.assertEqual(outcome["type"], type_)
                self.assertEqual(self.server.fetch(**task, envelope=True).json()["type"], type_)
                plain = self.server.fetch(**task)
                if limit == 100:
                    self.assertEqual(len(self.assert_ok(plain).body), 100)
                else:
                    self.assert_problem(plain, "result_too_large", stage="process")

    def test_a_limit_does_not_count_the_escapes_of_text(self):
        text = "\x01" * 1000
        url = self.origin.url("/text?text=" + "%01" * len(text))
        task = {"url": url, "max_result_bytes": len(text)}
        (outcome,) = self.server.batch([task]).outcomes
        self.assertEqual(outcome.get("text"), text, outcome.get("error"))
        self.assertEqual(self.server.fetch(**task, envelope=True).json().get("text"), text)

    def test_a_result(self):
        url = self.origin.url("/json?records=2")
        pipeline = [{"op": "json.select", "pointer": "/1/id"}]
        task = {"url": url, "id": "a", "meta": {"k": ["v", None]}, "pipeline": pipeline}
        batch = self.server.batch([task])
        self.assertEqual(batch.response.header("content-type"), "application/x-ndjson")
        (outcome,) = batch.outcomes
        expected = {"type": "result", "index": 0, "id": "a", "meta": {"k": ["v", None]}, "url": url}
        self.assertEqual({name: outcome[name] for name in expected}, expected)
        self.assertEqual((outcome["result"], outcome["attempts"]), (1, 1))
        self.assertEqual(outcome["media_type"], "application/json")
        upstream = outcome["upstream"]
        self.assertEqual((upstream["status"], upstream["final_url"]), (200, url))
        self.assertLessEqual({"ttfb", "process"}, set(outcome["timings_ms"]))

    def test_an_error(self):
        url = self.origin.url("/status?code=404")
        (outcome,) = self.server.batch([{"url": url, "id": "a"}]).outcomes
        self.assertEqual((outcome["type"], outcome["index"], outcome["id"]), ("error", 0, "a"))
        self.assertEqual(outcome["upstream"]["status"], 404)
        error = outcome["error"]
        self.assertEqual((error["code"], error["stage"]), ("upstream_status", "fetch"))
        self.assertIs(error["retryable"], False)
        self.assertTrue(error["detail"])

    def test_the_summary_counts(self):
        tasks = self.tasks(0, 0, 0) + [{"url": self.origin.url("/status?code=500")}]
        batch = self.server.batch(tasks)
        summary = {name: batch.summary[name] for name in ("type", "tasks", "ok", "failed")}
        self.assertEqual(summary, {"type": "summary", "tasks": 4, "ok": 3, "failed": 1})
        self.assertGreaterEqual(batch.summary["elapsed_ms"], 0)

    def test_outcomes_come_as_they_complete(self):
        may_answer = [threading.Event() for _ in range(3)]

        def answer(head, _):
            may_answer[int(head[len("GET /")])].wait()
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

        with AnsweringUpstream(answer) as upstream, self.server.raw() as client:
            tasks = [{"url": upstream.url(f"/{n}")} for n in range(3)]
            body = json.dumps({"tasks": tasks}).encode()
            client.send_request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
            client.read_until(b"\r\n\r\n")
            for index in (2, 1, 0):
                may_answer[index].set()
                self.assertEqual(json.loads(client.read_chunk().splitlines()[0])["index"], index)

    def test_outcomes_in_input_order(self):
        batch = self.server.batch(self.tasks(300, 0, 150, 0), order="input")
        self.assertEqual([outcome["index"] for outcome in batch.outcomes], [0, 1, 2, 3])

    def test_the_first_outcome_does_not_wait_for_the_last(self):
        tasks = self.tasks(0) + [{"url": self.origin.url("/hang"), "timeout_ms": 60_000}]
        with self.server.raw() as client:
            client.send_request(
                "POST",
                "/v1/batch",
                json.dumps({"tasks": tasks}).encode(),
                {"Content-Type": "application/json"},
            )
            self.assertIn(b"200", client.read_until(b"\r\n\r\n"))
            self.assertEqual(json.loads(client.read_chunk().splitlines()[0])["index"], 0)
        eventually(lambda: self.origin.open_requests() == 0, "hanging up cancels the other task")

    def test_server_sent_events(self):
        accept = {"Accept": "text/event-stream"}
        tasks = self.tasks(0) + [{"url": "http://10.0.0.1/", "id": 'not "index":7'}]
        body = json.dumps({"tasks": tasks, "order": "input"}).encode()
        response = self.server.post("/v1/batch", body, accept)
        self.assertEqual(response.header("content-type"), "text/event-stream")
        *events, rest = response.body.decode().split("\n\n")
        self.assertEqual(rest, "")
        events = [dict(line.split(": ", 1) for line in event.split("\n")) for event in events]
        self.assertEqual([event["event"] for event in events], ["outcome", "outcome", "summary"])
        self.assertEqual([event.get("id") for event in events], ["0", "1", None])
        first, second, summary = [json.loads(event["data"]) for event in events]
        self.assertEqual((first["result"], second["index"]), ({"delay": 0}, 1))
        self.assertEqual((summary["ok"], summary["failed"]), (1, 1))

    def test_json_output(self):
        accept = {"Accept": "application/json"}
        batch = self.server.batch(self.tasks(0, 0), request_headers=accept, order="input")
        self.assertEqual(batch.response.header("content-type"), "application/json")
        self.assertEqual([outcome["result"] for outcome in batch.outcomes], [{"delay": 0}] * 2)
        self.assertEqual(batch.summary["ok"], 2)

    def test_media_types_nobody_can_serve(self):
        response = self.server.post(
            "/v1/batch", {"tasks": self.tasks(0)}, {"Accept": "text/html;q=1, image/*"}
        )
        self.assert_problem(response, "not_acceptable")

    def test_the_forms_of_a_result(self):
        tasks = [
            {"url": self.origin.url("/json?records=1")},
            {"url": self.origin.url("/bytes?n=5")},
            {"url": self.origin.url("/text?text=%7Bno&type=application/json")},
            {"url": self.origin.url("/text?text=a%22%0A%01&type=text/plain")},
            {"url": self.origin.url("/bytes?n=5&type=application/octet-stream")},
            {"url": self.origin.url("/json"), "pipeline": [{"op": "hash", "algorithm": "md5"}]},
        ]
        outcomes = self.server.batch(tasks, order="input").outcomes
        forms = [{"result", "text", "base64"} & outcome.keys() for outcome in outcomes]
        expected = [{"result"}, {"text"}, {"text"}, {"text"}, {"base64"}, {"text"}]
        self.assertEqual(forms, expected)
        self.assertEqual(outcomes[1]["text"], "01234")
        self.assertEqual(outcomes[2]["text"], "{no")
        self.assertEqual(outcomes[3]["text"], 'a"\n\x01')
        self.assertEqual(base64.b64decode(outcomes[4]["base64"]), b"01234")
        self.assertRegex(outcomes[5]["text"], "^[0-9a-f]{32}$")

    def test_bytes_that_are_no_utf8_are_base64(self):
        raw = bytes(range(256))
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 256\r\n\r\n" + raw
        with RawUpstream(answering(answer)) as upstream:
            (outcome,) = self.server.batch([{"url": upstream.url()}]).outcomes
        self.assertEqual(base64.b64decode(outcome["base64"]), raw)

    def test_results_stay_on_one_line(self):
        pretty = "%7B%0A%20%22a%22%3A%20%5B1%2C%0D%0A2%5D%0A%7D"
        url = self.origin.url(f"/text?text={pretty}&type=application/json")
        batch = self.server.batch([{"url": url}])
        self.assertEqual(len(batch.response.body.splitlines()), 2)
        self.assertIn(b'"result":{"a":[1,2]}', batch.response.body)


class Heartbeat(ServerTest):
    settings = {"batch.heartbeat_ms": 10}

    @contextlib.contextmanager
    def silent_batch(self, accept):
        """A batch whose only task waits; gives its connection, and what lets the task end."""
        may_answer = threading.Event()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"
        with RawUpstream([READ, may_answer.wait, answer, CLOSE]) as upstream:
            with self.server.raw() as connection:
                body = json.dumps({"tasks": [{"url": upstream.url()}]}).encode()
                headers = {"Content-Type": "application/json", "Accept": accept}
                connection.send_request("POST", "/v1/batch", body, headers)
                connection.read_until(b"\r\n\r\n")
                yield connection, may_answer.set

    def test_a_silent_stream_of_events_has_one_and_lines_have_none(self):
        with (
            self.silent_batch("application/x-ndjson") as (lines, end_lines),
            self.silent_batch("text/event-stream") as (events, end_events),
        ):
            self.assertEqual([events.read_chunk() for _ in range(3)], 3 * [b":\n\n"])
            end_events()
            rest = b"".join(iter(events.read_chunk, b"")).split(b"\n\n")
            names = [event.split(b"\n")[0] for event in rest if event not in (b":", b"")]
            self.assertEqual(names, [b"event: outcome", b"event: summary"])
            end_lines()
            told = b"".join(iter(lines.read_chunk, b"")).splitlines()
            self.assertEqual([json.loads(line)["type"] for line in told], ["result", "summary"])


class Input(ServerTest):
    settings = {"batch.max_tasks": 1000}

    def test_defaults_are_every_tasks_unless_it_says_otherwise(self):
        url = self.origin.url("/delay?ms=7")
        own = [{"op": "hash", "algorithm": "crc32"}]
        batch = self.server.batch(
            [{}, {"pipeline": own}, {"url": self.origin.url("/echo"), "pipeline": []}],
            defaults={"url": url, "pipeline": SELECT_DELAY, "headers": {"X-Default": "d"}},
            order="input",
        )
        first, second, third = batch.outcomes
        self.assertEqual(first["result"], 7)
        self.assertRegex(second["text"], "^[0-9a-f]{8}$")
        self.assertIn(["X-Default", "d"], third["result"]["headers"])

    def test_per_task_errors_do_not_disturb_the_others(self):
        ok = self.origin.url("/delay?ms=0")
        urls = {
            ok: None,
            self.origin.url("/status?code=500"): "upstream_status",
            self.origin.url("/short"): "upstream_protocol",
            self.origin.url("/redirects?n=9"): "too_many_redirects",
            "http://10.0.0.1/": "address_denied",
            "ftp://example.com/": "url_denied",
            "http://nowhere.invalid/": "dns_failed",
        }
        batch = self.server.batch([{"url": url} for url in urls], order="input")
        codes = [outcome.get("error", {}).get("code") for outcome in batch.outcomes]
        self.assertEqual(codes, list(urls.values()))
        self.assertEqual((batch.summary["ok"], batch.summary["failed"]), (1, 6))

    def test_a_task_over_its_own_timeout(self):
        tasks = [{"url": self.origin.url("/hang"), "timeout_ms": 100}]
        (outcome,) = self.server.batch(tasks).outcomes
        self.assertEqual(outcome["error"]["code"], "upstream_timeout")

    def test_fail_fast_cancels_the_rest(self):
        tasks = [{"url": self.origin.url("/hang")} for _ in range(4)]
        tasks.insert(2, {"url": self.origin.url("/status?code=404")})
        # With some not started yet, and with all of them under way.
        for concurrency in (3, 5):
            options = {"on_error": "fail_fast", "order": "input", "concurrency": concurrency}
            batch = self.server.batch(tasks, **options)
            codes = [outcome["error"]["code"] for outcome in batch.outcomes]
            self.assertEqual(codes, ["cancelled"] * 2 + ["upstream_status"] + ["cancelled"] * 2)
            self.assertEqual((batch.summary["tasks"], batch.summary["failed"]), (5, 5))
        eventually(lambda: self.origin.open_requests() == 0, "the cancelled fetches end")

    def test_continue_is_the_default(self):
        tasks = [{"url": self.origin.url("/status?code=404")}, {"url": self.origin.url("/json")}]
        self.assertEqual(self.server.batch(tasks, concurrency=1).summary["ok"], 1)

    def test_the_deadline_bounds_the_exchange(self):
        tasks = [{"url": self.origin.url("/delay?ms=0")}]
        tasks += [{"url": self.origin.url("/hang"), "timeout_ms": 60_000}] * 3

        def run(deadline_ms):
            started = time.monotonic()
            batch = self.server.batch(tasks, deadline_ms=deadline_ms, order="input", concurrency=2)
            self.assertLess(time.monotonic() - started, deadline_ms / 1000 + bound(5))
            codes = [outcome.get("error", {}).get("code") for outcome in batch.outcomes]
            self.assertEqual(codes, [None] + ["deadline_exceeded"] * 3)

        with_more_time(run, 300, 3000, 10_000)

    def test_a_thousand_tasks(self):
        url = self.origin.url("/json?records=3")
        pipeline = [{"op": "json.select", "pointer": "/2/id"}]
        tasks = [{"url": url, "id": f"t{number}"} for number in range(1000)]
        batch = self.server.batch(tasks, defaults={"pipeline": pipeline})
        self.assertEqual((batch.summary["tasks"], batch.summary["ok"]), (1000, 1000))
        by_index = batch.by_index()
        self.assertEqual(len(by_index), 1000)
        for index, outcome in by_index.items():
            self.assertEqual((outcome["id"], outcome["result"]), (f"t{index}", 2))

    def test_too_many_tasks(self):
        tasks = [{"url": "http://a/"}] * 1001
        response = self.server.post("/v1/batch", {"tasks": tasks})
        self.assert_problem(response, "payload_too_large")

    def test_too_large_a_body(self):
        body = {"tasks": [{"url": "http://a/" + "x" * 2_000_000}]}
        self.assert_problem(self.server.post("/v1/batch", body), "payload_too_large")

    def test_large_results_all_arrive(self):
        # More than the batch may hold unsent, so that it has to wait for the reader.
        url = self.origin.url("/bytes?n=1000000")
        batch = self.server.batch([{"url": url}] * 60)
        self.assertEqual({len(outcome["text"]) for outcome in batch.outcomes}, {1_000_000})
        self.assertEqual(len(batch.outcomes), 60)


class Concurrency(ServerTest):
    def test_the_batchs_own_is_respected(self):
        for concurrency in (1, 4, 20):
            with self.subTest(concurrency=concurrency):
                together = threading.Barrier(concurrency, timeout=bound(20))
                lock, now, most = threading.Lock(), 0, 0

                def answer(*_):
                    nonlocal now, most
                    with lock:
                        now += 1
                        most = max(most, now)
                    together.wait()
                    time.sleep(0.03)  # in which one too many would come
                    with lock:
                        now -= 1
                    return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

                with AnsweringUpstream(answer) as upstream:
                    tasks = [{"url": upstream.url(f"/{n}")} for n in range(20)]
                    batch = self.server.batch(tasks, concurrency=concurrency)
                self.assertEqual((batch.summary["ok"], most), (20, concurrency))

    def test_more_than_the_server_allows(self):
        server = self.start({"batch.max_concurrency": 5, "batch.concurrency": 2})
        tasks = [{"url": self.origin.url("/delay?ms=20")}] * 20
        response = server.post("/v1/batch", {"tasks": tasks, "concurrency": 6})
        self.assert_problem(response, "invalid_request", field="concurrency")
        self.origin.reset_counters()
        server.batch(tasks)
        self.assertEqual(self.origin.counters()["paths"]["/delay"]["open_max"], 2)


if __name__ == "__main__":
    harness.main()
