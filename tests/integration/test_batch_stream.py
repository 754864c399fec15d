"""POST /v1/batch with tasks as lines: any number of them, results while lines still arrive."""

import contextlib
import json
import threading
import time

import harness
from harness import Batch, ServerTest
from name_server import A, Answer, NameServer, address
from processes import SANITIZED, eventually, resident_bytes, with_more_time
from upstreams import READ, Certificates, Origin, RawUpstream

NDJSON = {"Content-Type": "application/x-ndjson"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}


class StreamTest(ServerTest):
    def stream(self, body, headers=None, query="", server=None):
        server = server or self.server
        response = server.request("POST", "/v1/batch" + query, body, headers or NDJSON)
        self.assert_ok(response)
        return Batch(response)

    def send_head(self, client, query="", headers=None):
        lines = [f"POST /v1/batch{query} HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in (headers or NDJSON).items()]
        client.send("\r\n".join([*lines, "", ""]).encode())

    @staticmethod
    def send_chunk(client, data):
        client.send(b"%x\r\n%s\r\n" % (len(data), data))


class Lines(StreamTest):
    def test_a_task_or_a_url_per_line(self):
        url = self.origin.url("/json?records=2")
        select = {"url": url, "id": "a", "pipeline": [{"op": "json.select", "pointer": "/1/name"}]}
        body = f'{json.dumps(select)}\r\n\n  \n"{url}"'.encode()
        first, second = self.stream(body, query="?order=input").outcomes
        self.assertEqual((first["id"], first["result"]), ("a", "record 1"))
        self.assertEqual((second["index"], len(second["result"])), (1, 2))

    def test_a_url_per_line(self):
        body = f"# comment\n\n{self.origin.url('/bytes?n=5')}\n  {self.origin.url('/json')} \r\n"
        batch = self.stream(body.encode(), TEXT, "?order=input&op=hash")
        self.assertEqual([len(outcome["text"]) for outcome in batch.outcomes], [64, 64])
        self.assertEqual(batch.summary["tasks"], 2)

    def test_the_query_has_the_defaults(self):
        url = self.origin.url("/status?code=404")
        body = f'"{url}"\n{json.dumps({"url": url, "accept_status": ["2xx"]})}\n'.encode()
        first, second = self.stream(body, query="?accept_status=404&order=input").outcomes
        self.assertEqual(first["upstream"]["status"], 404)
        self.assertEqual(second["error"]["code"], "upstream_status")

    def test_a_byte_order_mark_is_no_part_of_a_line(self):
        url = self.origin.url("/json")
        for line, headers in ((json.dumps(url), NDJSON), (url, TEXT)):
            (outcome,) = self.stream(f"\ufeff{line}\n".encode(), headers).outcomes
            self.assertEqual((outcome["type"], outcome["url"]), ("result", url))

    def test_nothing_at_all(self):
        for body in (b"", b"\n\n", b"\r\n", b"\xef\xbb\xbf"):
            self.assertEqual(self.stream(body).summary["tasks"], 0)

    def test_a_bad_line_is_an_error_of_its_own(self):
        url = json.dumps(self.origin.url("/json")).encode()
        lines = [
            url,
            b'{"url":',
            b'{"url":"http://a/","wrong":1}',
            b"17",
            b"{}",
            b'"' + b"x" * (1 << 20) + b'"',
            b"\xff",
            url,
        ]
        batch = self.stream(b"\n".join(lines), query="?order=input")
        self.assertEqual((batch.summary["ok"], batch.summary["failed"]), (2, 6))
        errors = [outcome for outcome in batch.outcomes if outcome["type"] == "error"]
        self.assertEqual([outcome["line"] for outcome in errors], [2, 3, 4, 5, 6, 7])
        codes = [outcome["error"]["code"] for outcome in errors]
        self.assertEqual(codes, ["invalid_request", "unknown_field"] + ["invalid_request"] * 4)
        self.assertEqual(errors[1]["error"]["field"], "wrong")

    def test_a_task_that_fails_has_its_line(self):
        body = f"# comment\n\nbad\n{self.origin.url('/json')}\nhttp://10.0.0.1/"
        bad, good, denied = self.stream(body.encode(), TEXT, "?order=input").outcomes
        self.assertEqual((bad["line"], bad["index"], denied["line"]), (3, 0, 5))
        self.assertNotIn("line", good)

    def test_what_is_refused_before_the_first_line(self):
        cases = {
            ("?concurrency=0", None): ("invalid_request", "concurrency"),
            ("?concurrency=x", None): ("invalid_request", "concurrency"),
            ("?order=sorted", None): ("invalid_request", "order"),
            ("?order=input&order=input", None): ("invalid_request", "order"),
            ("?url=http://a/%7B", None): ("invalid_request", "url"),
            ("?url=http://a/", "text/plain"): ("invalid_request", "url"),
            ("?op=nonsense", None): ("unknown_op", "op"),
            ("", "text/csv"): ("unsupported_media_type", None),
        }
        for (query, media_type), (code, field) in cases.items():
            with self.subTest(query=query, media_type=media_type):
                headers = {"Content-Type": media_type} if media_type else NDJSON
                response = self.server.request("POST", "/v1/batch" + query, b'"x"\n', headers)
                self.assert_problem(response, code, **({"field": field} if field else {}))

    def test_as_one_document(self):
        body = (json.dumps(self.origin.url("/json")) + "\n").encode() * 3
        batch = self.stream(body, {**NDJSON, "Accept": "application/json"})
        self.assertEqual((len(batch.outcomes), batch.summary["ok"]), (3, 3))

    def test_fail_fast(self):
        body = b'"http://10.0.0.1/"\n' + (json.dumps(self.origin.url("/hang")) + "\n").encode() * 9
        batch = self.stream(body, query="?on_error=fail_fast")
        codes = {outcome["error"]["code"] for outcome in batch.outcomes}
        self.assertEqual(codes, {"address_denied", "cancelled"})

    def test_the_deadline(self):
        body = (json.dumps(self.origin.url("/hang")) + "\n").encode() * 3
        batch = self.stream(body, query="?deadline_ms=100")
        codes = [outcome["error"]["code"] for outcome in batch.outcomes]
        self.assertEqual(codes, ["deadline_exceeded"] * 3)

    def test_what_was_not_read_is_not_forgotten(self):
        body = b"null\n" + (json.dumps(self.origin.url("/json")) + "\n").encode() * 3000
        batch = self.stream(body, query="?on_error=fail_fast")
        count = batch.summary["tasks"]
        self.assertLess(count, 3001)
        self.assertEqual(sorted(outcome["index"] for outcome in batch.outcomes), list(range(count)))
        last = batch.outcomes[-1]
        self.assertEqual((last["line"], last["error"]["code"]), (count, "cancelled"))
        self.assertIn("this line and those behind it were not read", last["error"]["detail"])

    def test_lines_that_came_and_found_no_room_are_not_forgotten(self):
        server = self.start({"batch.max_pending_tasks": 1})

        def run(deadline_ms):
            with server.raw() as client:
                self.send_head(client, query=f"?deadline_ms={deadline_ms}&concurrency=1")
                client.read_until(b"\r\n\r\n")
                for _ in range(3):
                    self.send_chunk(client, json.dumps(self.origin.url("/hang")).encode() + b"\n")
                *outcomes, summary = map(json.loads, client.read_chunk().splitlines())
            codes = [outcome["error"]["code"] for outcome in outcomes]
            self.assertEqual((codes, outcomes[-1]["line"]), (["deadline_exceeded"] * 3, 3))
            self.assertEqual((summary["tasks"], summary["failed"]), (3, 3))

        with_more_time(run, 300, 3000, 10_000)

    def test_a_server_that_stops_tells_where_it_stopped_reading(self):
        def run(drain_ms):
            settings = {"batch.max_pending_tasks": 1, "server.drain_timeout_ms": drain_ms}
            server = self.start(settings)
            with server.raw() as client:
                self.send_head(client, query="?concurrency=1")
                client.read_until(b"\r\n\r\n")
                for _ in range(3):
                    self.send_chunk(client, json.dumps(self.origin.url("/hang")).encode() + b"\n")
                server.terminate()
                *outcomes, summary = map(json.loads, client.read_chunk().splitlines())
            self.assertEqual(server.wait(), 0)
            codes = [outcome["error"]["code"] for outcome in outcomes]
            self.assertEqual((codes, outcomes[-1]["line"]), (["draining"] * 3, 3))
            self.assertEqual((summary["tasks"], summary["failed"]), (3, 3))

        with_more_time(run, 300, 3000, 10_000)

    def test_who_sent_no_more_gets_no_more(self):
        for body in (b"null", b"null\n", b"null\r\n\n \n"):
            with self.subTest(body):
                batch = self.stream(body, query="?on_error=fail_fast")
                self.assertEqual((len(batch.outcomes), batch.summary["tasks"]), (1, 1))

        # The same where more could still come.
        def run(deadline_ms):
            with self.server.raw() as client:
                self.send_head(client, query=f"?deadline_ms={deadline_ms}")
                client.read_until(b"\r\n\r\n")
                self.send_chunk(client, json.dumps(self.origin.url("/json")).encode() + b"\n")
                outcome = json.loads(client.read_chunk().splitlines()[0])
                self.assertEqual(outcome["type"], "result")
                summary = json.loads(client.read_chunk())
            self.assertEqual((summary["type"], summary["tasks"], summary["ok"]), ("summary", 1, 1))

        with_more_time(run, 200, 3000, 10_000)


class Dialogue(StreamTest):
    @contextlib.contextmanager
    def held_upstream(self):
        """An upstream, and the function that lets it answer."""
        may_answer = threading.Event()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        with RawUpstream([READ, may_answer.wait, answer]) as upstream:
            yield upstream, may_answer.set

    def test_results_come_while_lines_still_arrive(self):
        with self.server.raw() as client:
            self.send_head(client)
            client.read_until(b"\r\n\r\n")
            for index in range(3):
                self.send_chunk(client, json.dumps(self.origin.url("/json")).encode() + b"\n")
                outcome = json.loads(client.read_chunk())
                self.assertEqual((outcome["type"], outcome["index"]), ("result", index))
            client.send(b"0\r\n\r\n")
            self.assertEqual(json.loads(client.read_chunk())["tasks"], 3)
            self.assertEqual(client.read_chunk(), b"")

    def test_a_line_in_pieces(self):
        line = json.dumps(self.origin.url("/json")).encode() + b"\n"
        with self.server.raw() as client:
            self.send_head(client)
            client.read_until(b"\r\n\r\n")
            for byte in line:
                self.send_chunk(client, bytes([byte]))
            self.assertEqual(json.loads(client.read_chunk())["type"], "result")

    def test_who_waits_to_be_told_is_told(self):
        with self.server.raw() as client:
            self.send_head(client, headers={**NDJSON, "Expect": "100-continue"})
            self.assertIn(b" 100 ", client.read_until(b"\r\n\r\n"))
            self.assertIn(b" 200 ", client.read_until(b"\r\n\r\n"))
            client.send(b"0\r\n\r\n")
            self.assertEqual(json.loads(client.read_chunk())["tasks"], 0)

    def test_hanging_up_ends_everything(self):
        with self.server.raw() as client:
            self.send_head(client)
            client.read_until(b"\r\n\r\n")
            line = json.dumps(self.origin.url("/hang")).encode() + b"\n"
            self.send_chunk(client, line * 5)
            eventually(lambda: self.origin.open_requests() == 5, "they are under way")
        eventually(lambda: self.origin.open_requests() == 0, "they are cancelled")

    def test_broken_framing_ends_the_lines_not_the_tasks(self):
        with self.held_upstream() as (upstream, release), self.server.raw() as client:
            self.send_head(client)
            client.read_until(b"\r\n\r\n")
            self.send_chunk(client, json.dumps(upstream.url()).encode() + b"\n")
            client.send(b"zz\r\n")
            lines = [json.loads(client.read_chunk())]
            release()
            lines += [json.loads(client.read_chunk()) for _ in range(2)]
        self.assertEqual([line["type"] for line in lines], ["error", "result", "summary"])
        self.assertEqual((lines[0]["line"], lines[0]["error"]["code"]), (2, "invalid_request"))

    def test_a_client_that_stalls(self):
        server = self.start({"batch.stall_timeout_ms": 300})
        with server.raw() as client:
            self.send_head(client)
            client.read_until(b"\r\n\r\n")
            outcome = json.loads(client.read_chunk())
            self.assertEqual((outcome["line"], outcome["error"]["code"]), (1, "request_timeout"))
            self.assertEqual(json.loads(client.read_chunk())["failed"], 1)
        server.wait_for_log("the lines of a batch broke off")

    def test_a_client_that_stalls_behind_heartbeats(self):
        server = self.start({"batch.stall_timeout_ms": 1000, "batch.heartbeat_ms": 50})
        with server.raw() as client:
            self.send_head(client, headers={**TEXT, "Accept": "text/event-stream"})
            client.read_until(b"\r\n\r\n")
            chunks = []
            while chunk := client.read_chunk():
                chunks.append(chunk)
        # One would do: it must not count as something that the client does.
        self.assertGreater(chunks.count(b":\n\n"), 0)
        self.assertIn(b'"code":"request_timeout"', b"".join(chunks))
        self.assertIn(b"event: summary\n", chunks[-1])

    def test_a_stall_cuts_no_task(self):
        server = self.start({"batch.stall_timeout_ms": 200, "batch.heartbeat_ms": 50})
        with self.held_upstream() as (upstream, release), server.raw() as client:
            line = upstream.url().encode() + b"\n"
            client.send(  # the line with the head: a moment later it might be too late
                b"POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                b"Content-Type: text/plain\r\nAccept: text/event-stream\r\n\r\n"
                b"%x\r\n%s\r\n" % (len(line), line)
            )
            client.read_until(b"\r\n\r\n")
            events = b""
            while b'"code":"request_timeout"' not in events:
                events += client.read_chunk()
            release()
            while chunk := client.read_chunk():
                events += chunk
        self.assertIn(b'"type":"result"', events)
        self.assertIn(b'"tasks":2,"ok":1', events)

    def test_one_way_that_moves_keeps_the_other_open(self):
        def run(stall_ms):
            server = self.start({"batch.stall_timeout_ms": stall_ms})
            url = self.origin.url(f"/delay?ms={stall_ms * 3 // 8}")
            with server.raw() as client:
                self.send_head(client, query="?concurrency=1")
                client.read_until(b"\r\n\r\n")
                # Nothing more is sent for three times as long, but outcomes flow.
                self.send_chunk(client, (json.dumps(url) + "\n").encode() * 8)
                for _ in range(8):
                    outcome = json.loads(client.read_chunk().splitlines()[0])
                    self.assertEqual(outcome["type"], "result")
                client.send(b"0\r\n\r\n")
                self.assertEqual(json.loads(client.read_chunk())["ok"], 8)

        with_more_time(run, 400, 3000, 8000)


class Length(StreamTest):
    settings = {"batch.max_pending_tasks": 1000, "batch.pending_mb": 1}

    def test_a_hundred_thousand_urls_in_flat_memory(self):
        count = 10_000 if SANITIZED else 100_000
        # A prime: each of them gets every kind of request.
        hosts = [f"h{n}.many.test" for n in range(199)]
        names = self.enterContext(
            NameServer({host: Answer(address(host, 3600, "127.0.0.1")) for host in hosts})
        )
        certificates = self.enterContext(Certificates())
        origin = self.enterContext(Origin(certificates))
        server = self.start(
            {
                **self.settings,
                "fetch.dns_servers": names.address,
                "fetch.ca_file": certificates.ca_file,
                "fetch.cache_mb": 1,  # full before a tenth is done
            }
        )

        def url(number):
            host = hosts[number % len(hosts)]
            if number % 25 == 0:  # each on a connection of its own, which resumes a session
                return origin.tls_url(f"/close?n=5&number={number}", host)
            may_be_kept = "&max_age=600" if number % 3 == 0 else ""
            return origin.url(f"/bytes?n=5&number={number}{may_be_kept}", host)

        with server.raw(timeout=60) as client:
            self.send_head(client, query="?concurrency=64", headers=TEXT)
            client.read_until(b"\r\n\r\n")

            def send_all():
                for first in range(0, count, 1000):
                    lines = "".join(url(n) + "\n" for n in range(first, first + 1000))
                    self.send_chunk(client, lines.encode())
                client.send(b"0\r\n\r\n")

            sender = threading.Thread(target=send_all)
            sender.start()
            seen = bytearray(count)
            early = late = 0
            lines = b""
            total = 0
            while chunk := client.read_chunk():
                *whole, lines = (lines + chunk).split(b"\n")
                for line in whole:
                    outcome = json.loads(line)
                    if outcome["type"] == "summary":
                        break
                    self.assertEqual(outcome["type"], "result")
                    seen[outcome["index"]] += 1
                    total += 1
                    if total == count // 10:
                        early = resident_bytes(server.pid)
                    if total == count - 1:
                        late = resident_bytes(server.pid)
            sender.join()
        self.assertEqual(outcome["ok"], count)
        self.assertEqual(set(seen), {1})
        print(f"resident after a tenth {early >> 10} KiB, at the end {late >> 10} KiB")
        if not SANITIZED:
            self.assertLess(late - early, 2 << 20)
        # What is remembered was used, and what is bounded was full.
        self.assertEqual(sum(names.asked(host, A) for host in hosts), len(hosts))
        self.assertGreater(server.metrics().value("fetch_cache_evictions_total"), 0)
        again = server.fetch(url(0), debug=True)
        (attempt,) = json.loads(again.header("fetchmill-debug"))["attempts"]
        self.assertTrue(attempt["tls"]["resumed"])

    def tasks_ended(self):
        return self.server.metrics().value("fetch_requests_total", outcome="ok")

    def test_who_sends_all_before_reading_anything(self):
        # More than fits into sockets and pending_mb: reading stops, and goes on when it is read.
        url = self.origin.url("/bytes?n=3000")
        count = 4000
        body = (json.dumps(url) + "\n").encode() * count
        sent = threading.Event()
        ended_before = self.tasks_ended()
        with self.server.raw(timeout=60) as client:
            self.send_head(client, query="?order=input")

            def send_all():
                with contextlib.suppress(OSError):
                    self.send_chunk(client, body)
                    client.send(b"0\r\n\r\n")
                    sent.set()

            sender = threading.Thread(target=send_all)
            sender.start()

            def settled():
                before = self.tasks_ended()
                time.sleep(0.2)
                return self.tasks_ended() == before and before - ended_before

            done = eventually(settled, "back-pressure holds the tasks up", within=30)
            self.assertLess(done, count)
            client.read_until(b"\r\n\r\n")
            lines = b""
            while chunk := client.read_chunk():
                lines += chunk
            sender.join()
        self.assertTrue(sent.is_set())
        outcomes = [json.loads(line) for line in lines.splitlines()]
        self.assertEqual([outcome["index"] for outcome in outcomes[:-1]], list(range(count)))
        self.assertEqual(outcomes[-1]["ok"], count)


if __name__ == "__main__":
    harness.main()
