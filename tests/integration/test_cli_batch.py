"""fetchmill batch: lines in, outcomes out, without a server."""

import json
import os
import pathlib
import re
import threading
import unittest

import commands
import harness
import processes
from commands import Running, batch
from processes import SANITIZED, eventually, resident_bytes
from upstreams import CLOSE, READ, Origin, RawUpstream


class BatchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.origin = cls.enterClassContext(Origin())

    def setUp(self):
        self.origin.wait_for_rest()
        self.folder = pathlib.Path(commands.temporary_folder(self))

    def file(self, name, *lines):
        path = self.folder / name
        path.write_text("".join(line + "\n" for line in lines))
        return path

    def urls(self, count, target="/bytes?n={}"):
        return [self.origin.url(target.format(index)) for index in range(count)]

    def fetched(self):
        """How many requests the origin got."""
        return self.origin.counters()["requests"]["total"]


class Lines(BatchTest):
    def test_urls_from_a_pipe(self):
        code, outcomes, err = batch("--op", "hash", text="\n".join(["# comment", "", *self.urls(3)]))
        self.assertEqual((code, err), (0, ""), "silent where nobody watches")
        self.assertEqual(sorted(outcome["index"] for outcome in outcomes), [0, 1, 2])
        self.assertEqual({len(outcome["text"]) for outcome in outcomes}, {64})

    def test_urls_from_a_file_in_their_order(self):
        slow_first = [self.origin.url("/delay?ms=200"), *self.urls(3)]
        _, outcomes, _ = batch("--order", "input", self.file("urls", *slow_first))
        self.assertEqual([outcome["url"] for outcome in outcomes], slow_first)

    def test_tasks_and_what_they_do_not_say(self):
        url = self.origin.url("/json?records=2")
        task = {"id": "a", "url": url, "pipeline": [{"op": "json.select", "pointer": "/0/name"}]}
        lines = [json.dumps(task), json.dumps(url), url, '{"x":1}', "{", "http://10.0.0.1/"]
        code, outcomes, err = batch(
            "--order", "input", "--op", "json.select", "--pointer", "/1/name", text="\n".join(lines)
        )
        self.assertEqual(code, 3)
        self.assertRegex(err, r"^6 tasks: 3 ok, 3 failed; \S+ s, \S+/s\n$")
        results = [outcome.get("result") for outcome in outcomes]
        self.assertEqual(results, ["record 0", "record 1", "record 1", None, None, None])
        codes = [outcome["error"]["code"] for outcome in outcomes[3:]]
        self.assertEqual(codes, ["unknown_field", "invalid_request", "address_denied"])
        self.assertEqual([outcome.get("line") for outcome in outcomes[3:]], [4, 5, 6])

    def test_fail_fast_and_deadline(self):
        urls = self.file("urls", self.origin.url("/status?code=404"), *self.urls(3, "/hang?{}"))
        code, outcomes, _ = batch("--on-error", "fail_fast", urls)
        codes = sorted(outcome["error"]["code"] for outcome in outcomes)
        self.assertEqual((code, codes), (3, ["cancelled"] * 3 + ["upstream_status"]))
        for text in ("{", "{\n", "{\n\n# the end\n"):
            _, outcomes, err = batch("--on-error", "fail_fast", text=text)
            self.assertEqual((len(outcomes), err.partition(":")[0]), (1, "1 task"), repr(text))
        hanging = self.file("hanging", *self.urls(2, "/hang?{}"))
        code, outcomes, _ = batch("--deadline-ms", "100", hanging)
        codes = [outcome["error"]["code"] for outcome in outcomes]
        self.assertEqual((code, codes), (3, ["deadline_exceeded"] * 2))

    def test_mistakes_in_usage(self):
        cases = [
            (["/nonexistent"], "the file '/nonexistent' cannot be read: No such file"),
            ([self.folder], "cannot be read: Is a directory"),
            (["--concurrency", "0"], "--concurrency: expected a whole number"),
            (["--resume", self.folder], "cannot be opened: Is a directory"),
            (["--resume", "/dev/null"], "is no regular file"),
            (["a", "b"], "unexpected argument 'b'"),
        ]
        for options, message in cases:
            with self.subTest(message):
                code, outcomes, err = batch(*options, text="")
                self.assertEqual((code, outcomes), (2, []))
                self.assertIn(message, err)


class Streams(BatchTest):
    def test_outcomes_come_while_lines_still_arrive(self):
        with Running("batch") as running:
            for index, url in enumerate(self.urls(3)):
                running.send(url + "\n")
                self.assertEqual(running.outcome()["index"], index)
            self.assertEqual(running.end(), (0, [], ""))

    def test_a_file_gets_outcomes_in_time_too(self):
        out = self.folder / "out"
        with out.open("wb") as file, Running("batch", stdout=file) as running:
            running.send(self.urls(1)[0] + "\n")
            eventually(lambda: out.read_bytes().endswith(b"\n"), "the outcome is in the file")
            self.assertEqual(running.end()[0], 0)

    def test_the_flags_of_the_streams_stay(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        with open(writer, "wb") as out, Running("batch", stdout=out) as running:
            running.send(self.urls(1)[0] + "\n")
            eventually(lambda: os.get_blocking(reader) and os.read(reader, 1), "it writes")
            self.assertTrue(os.get_blocking(writer))
            self.assertTrue(os.get_blocking(running.child.stdin.fileno()))
            self.assertEqual(running.end()[0], 0)

    def test_a_reader_that_goes_away(self):
        with Running("batch", self.file("urls", *self.urls(2000))) as running:
            running.outcome()
            running.child.stdout.close()
            running.child.stdout = None
            self.assertEqual(running.end(), (1, [], ""), "without a word, but not all is done")

    def test_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            code, _, err = batch(text="\n".join(self.urls(2)), stdout=full)
        self.assertEqual(code, 1)
        self.assertIn("cannot write the outcomes: No space left", err)

    def test_ten_thousand_urls_in_flat_memory(self):
        count = 2_000 if SANITIZED else 20_000
        limits = ["--batch.max_pending_tasks", "500", "--batch.pending_mb", "1"]
        with Running("batch", *limits) as running:
            text = (self.origin.url("/bytes?n=5") + "\n") * count
            sender = threading.Thread(target=lambda: (running.send(text), running.child.stdin.close()))
            sender.start()
            seen = set()
            for line in running.child.stdout:
                seen.add(json.loads(line)["index"])
                if len(seen) == count // 5:
                    early = resident_bytes(running.child.pid)
                if len(seen) == count - 1:
                    late = resident_bytes(running.child.pid)
            sender.join()
            running.child.stdin = None
            self.assertEqual(running.end()[0], 0)
        self.assertEqual(len(seen), count)
        if not SANITIZED:
            self.assertLess(late - early, 2 << 20)

    def test_a_reader_that_stops_holds_the_lines_up(self):
        self.origin.reset_counters()
        url = self.origin.url("/bytes?n=3000") + "\n"
        options = ["--batch.max_pending_tasks", "500", "--batch.pending_mb", "1"]
        with Running("batch", *options, "--order", "input") as running:
            sender = threading.Thread(
                target=lambda: (running.send(url * 4000), running.child.stdin.close())
            )
            sender.start()
            eventually(lambda: self.fetched() > 100, "it works")
            seen = []

            def held_up():
                seen.append(self.fetched())
                return len(seen) > 40 and len(set(seen[-40:])) == 1

            eventually(held_up, "no more is fetched")
            self.assertLess(seen[-1], 2000)
            indexes = [json.loads(line)["index"] for line in running.child.stdout]
            sender.join()
            running.child.stdin = None
            self.assertEqual(running.end()[0], 0)
        self.assertEqual(indexes, list(range(4000)))


def outcomes_in(path):
    """Of the file of a run with --resume: its first line says what they are of."""
    order, *lines = map(json.loads, path.read_text().splitlines())
    return lines if order["type"] == "batch" else [order, *lines]


class Resume(BatchTest):
    def setUp(self):
        super().setUp()
        self.out = self.folder / "out.ndjson"

    def resume(self, *arguments):
        code, outcomes, err = batch("--resume", self.out, *arguments)
        self.assertEqual(outcomes, [], "they go to the file")
        return code, err

    def outcomes(self):
        return outcomes_in(self.out)

    def test_results_of_something_else_are_not_gone_on_with(self):
        urls = self.file("urls", *self.urls(2))
        self.assertEqual(self.resume("--op", "hash", urls), (0, ""))
        before = self.out.read_text()
        for other in (["--op", "text.stats"], [], ["--op", "hash", "--data", "x"]):
            with self.subTest(other):
                code, err = self.resume(*other, urls)
                self.assertEqual(code, 2)
                self.assertIn("has the results of another op, pipeline, method or body", err)
                self.assertEqual(self.out.read_text(), before)
        self.assertEqual(self.resume("--op", "hash", "--timeout-ms", "9000", urls), (0, ""))
        self.assertEqual(self.out.read_text(), before)

    def test_outcomes_of_standard_output_are_gone_on_with(self):
        urls = self.file("urls", *self.urls(2))
        with self.out.open("wb") as file:
            batch(urls, stdout=file)
        before = self.out.read_text()
        code, err = self.resume(urls)
        self.assertEqual(code, 0)
        self.assertIn("does not say what its results are of", err)
        self.assertEqual(self.out.read_text(), before)

    def test_an_id_that_stands_twice(self):
        tasks = [{"id": "x", "url": url} for url in self.urls(2)]
        lines = self.file("tasks", *map(json.dumps, tasks))
        for _ in range(2):
            self.assertEqual(self.resume(lines)[0], 3)
            error = [o for o in self.outcomes() if o["type"] == "error"][-1]
            self.assertEqual((error["index"], error["id"], error["line"]), (1, "x", 2))
            self.assertEqual(error["error"]["field"], "id")
            self.assertIn("a task before it has this id", error["error"]["detail"])
        self.assertEqual([o["type"] for o in self.outcomes()].count("result"), 1)
        self.assertEqual(batch(lines)[0], 0, "without --resume nothing is looked up by it")

    def test_only_what_has_no_result_is_fetched(self):
        missing = self.origin.url("/status?code=404")
        named = json.dumps({"id": "x", "url": self.urls(1)[0]})
        urls = self.file("urls", *self.urls(3), missing, named)
        self.assertEqual(self.resume(urls)[0], 3)
        self.assertEqual(len(self.outcomes()), 5)

        self.origin.reset_counters()
        code, err = self.resume(urls)
        self.assertEqual(self.fetched(), 1)
        self.assertEqual((code, err.partition(";")[0]), (3, "5 tasks: 0 ok, 1 failed, 4 left out"))
        again = self.outcomes()[5:]
        self.assertEqual([(o["url"], o["index"]) for o in again], [(missing, 3)])

        # The status is wanted after all; new lines are new tasks.
        code, _ = self.resume("--accept-status", "404", "--accept-status", "2xx", self.file("urls", *self.urls(4), missing))
        self.assertEqual(code, 0)
        added = {(o["index"], o["type"]) for o in self.outcomes()[6:]}
        self.assertEqual(added, {(3, "result"), (4, "result")})

    def test_a_last_line_that_was_torn(self):
        urls = self.file("urls", *self.urls(3))
        self.resume("--order", "input", urls)
        whole = self.out.read_bytes()
        for cut in (1, 50):
            with self.subTest(cut=cut):
                self.out.write_bytes(whole[:-cut])
                self.assertEqual(self.resume(urls), (0, ""))
                self.assertEqual([o["index"] for o in self.outcomes()], [0, 1, 2])

    def test_one_url_many_times(self):
        url = self.urls(1)[0]
        self.resume(self.file("urls", url, url))
        self.resume(self.file("urls", url, url, url))
        self.assertEqual(sorted(o["index"] for o in self.outcomes()), [0, 1, 2])

    def test_tasks_of_one_url_are_told_apart(self):
        url = self.origin.url("/json?records=2")
        tasks = [{"url": url, "max_bytes": 1}, {"url": url}]
        lines = self.file("tasks", *map(json.dumps, tasks))
        for expected in ([(0, "error"), (1, "result")], [(0, "error")]):
            seen = len(self.outcomes()) if self.out.exists() else 0
            self.assertEqual(self.resume("--order", "input", lines)[0], 3)
            self.assertEqual([(o["index"], o["type"]) for o in self.outcomes()[seen:]], expected)

    def test_a_file_of_something_else_is_left_alone(self):
        urls = self.file("urls", *self.urls(1))
        for content in ("important\nnotes", '{"url":"http://a/"}\n'):
            self.out.write_text(content)
            code, err = self.resume(urls)
            self.assertEqual(code, 2)
            self.assertIn("holds something else", err)
            self.assertEqual(self.out.read_text(), content)

    def test_two_at_once(self):
        with Running("batch", "--resume", self.out) as first:
            first.send(self.urls(1)[0] + "\n")
            eventually(self.out.exists, "the first one has it")
            eventually(lambda: self.out.stat().st_size, "and writes")
            code, err = self.resume(self.file("urls"))
            self.assertEqual(code, 2)
            self.assertIn("is being written by another fetchmill", err)
            self.assertEqual(first.end()[0], 0)

    def test_in_input_order(self):
        urls = self.urls(6)
        self.resume(self.file("some", *urls[1::2]))
        self.resume("--order", "input", self.file("all", *urls))
        self.assertEqual([o["index"] for o in self.outcomes()[3:]], [0, 2, 4])


class CtrlC(BatchTest):
    def test_the_first_lets_finish_what_runs(self):
        out = self.folder / "out"
        urls = self.file("urls", *self.urls(20, "/delay?ms=400&x={}"))
        self.origin.reset_counters()
        with Running("batch", "--resume", out, "--concurrency", "2", urls) as running:
            eventually(lambda: self.origin.open_requests() == 2, "two are under way")
            running.interrupt()
            code, _, err = running.end()
        self.assertEqual(code, 1)
        done = self.fetched()
        self.assertLess(done, 20)
        self.assertTrue(err.startswith(f"20 tasks: {done} ok, 0 failed, {20 - done} left out; "), err)
        self.assertTrue(err.endswith("; stopped before the end\n"), err)
        self.assertEqual(len(outcomes_in(out)), done)
        code, _, _ = batch("--resume", out, urls)
        self.assertEqual(code, 0)
        self.assertEqual(sorted(o["index"] for o in outcomes_in(out)), list(range(20)))

    def held(self):
        """An upstream whose answer waits until it may be given, and the function that lets it."""
        may_answer = threading.Event()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        upstream = self.enterContext(RawUpstream([READ, may_answer.wait, answer, CLOSE]))
        return upstream, may_answer.set

    def interrupt(self, running):
        """Ctrl-C, which every process has been given when this returns."""
        running.interrupt()
        eventually(lambda: not processes.pending_signals(running.child.pid), "it is taken")

    def test_in_input_order(self):
        first, release = self.held()
        bad_behind = self.file("urls", first.url(), *self.urls(2, "/hang?{}"), "{")
        with Running("batch", "--order", "input", "--concurrency", "1", bad_behind) as running:
            eventually(lambda: first.heads, "the first is under way")
            self.interrupt(running)
            release()
            code, outcomes, _ = running.end()
        self.assertEqual((code, [o["index"] for o in outcomes]), (1, [0, 3]))

    def test_lines_behind_it_are_not_read(self):
        with Running("batch", "--concurrency", "1") as running:
            first, release = self.held()
            running.send(first.url() + "\n")
            eventually(lambda: first.heads, "it is under way")
            self.interrupt(running)
            running.send(self.urls(1)[0] + "\n")
            release()
            code, outcomes, err = running.end()
        self.assertEqual((code, len(outcomes)), (1, 1), err)

    def test_while_lines_are_awaited(self):
        with Running("batch") as running:
            running.send(self.urls(1)[0] + "\n")
            running.outcome()
            running.interrupt()
            running.child.wait()
            code, _, err = running.end()
        self.assertEqual((code, err.partition(";")[0]), (1, "1 task: 1 ok, 0 failed"))

    def test_the_second_ends_at_once(self):
        with Running("batch", self.file("urls", *self.urls(9, "/hang?{}"))) as running:
            eventually(lambda: self.origin.open_requests() == 9, "all are under way")
            self.interrupt(running)
            with self.assertRaises(Exception):
                running.child.wait(0.2)
            running.interrupt()
            code, outcomes, err = running.end(within=5)
        self.assertEqual((code, outcomes), (1, []))
        self.assertTrue(err.startswith("9 tasks: 0 ok, 0 failed, 9 left out; "), err)
        self.assertTrue(err.endswith("; stopped before the end\n"), err)


class Terminal(BatchTest):
    def test_progress_and_summary(self):
        urls = [self.origin.url("/status?code=404"), *self.urls(11, "/delay?ms=80&x={}")]
        path = self.file("urls", *urls)
        with Running("batch", "--concurrency", "1", path, terminal=True) as running:
            code, outcomes, said = running.end()
        self.assertEqual((code, len(outcomes)), (3, 12), "standard output has outcomes only")
        line = r"\r\x1b\[K *\d+% \[#*\.*\]  \d+/12  [\d.]+/s  ok \d+  failed \d  ETA \d+:\d\d"
        self.assertGreaterEqual(len(re.findall(line, said)), 3, said)
        self.assertTrue(re.search(r"\r\x1b\[K12 tasks: 11 ok, 1 failed; \S+ s, \S+/s\r\n$", said), said)

    def test_of_a_pipe_the_end_is_not_known(self):
        with Running("batch", terminal=True) as running:
            running.send(self.urls(1)[0] + "\n")
            eventually(lambda: "1  " in running.said(), "it is shown")
            self.assertNotIn("ETA", running.said())
            code, _, said = running.end()
        self.assertEqual(code, 0)
        self.assertIn("1 task: 1 ok, 0 failed", said)

    def test_ctrl_c_says_what_it_waits_for(self):
        path = self.file("urls", *self.urls(9, "/delay?ms=300&x={}"))
        with Running("batch", "--concurrency", "1", path, terminal=True) as running:
            eventually(lambda: self.origin.open_requests() == 1, "one is under way")
            running.interrupt()
            code, _, said = running.end()
        self.assertEqual(code, 1)
        self.assertIn("Ctrl-C again stops at once", said)
        self.assertIn("stopped before the end", said)

    def test_controls_in_outcomes_are_escaped(self):
        path = self.file("urls", *self.urls(1, "/text?text=%7F%C2%9B2J%C2%A0"))
        _, line, _ = commands.on_a_terminal("batch", path)
        self.assertIn(b'"\\u007f\\u009b2J\xc2\xa0"', line)
        self.assertEqual(json.loads(line)["text"], "\x7f\x9b2J\xa0")
        with Running("batch", path) as running:
            self.assertIn(b'"\x7f\xc2\x9b2J\xc2\xa0"', running.child.stdout.readline())
            self.assertEqual(running.end()[0], 0)

    def test_lines_from_a_terminal_are_asked_for(self):
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        with Running("batch", stdin=slave, terminal=True) as running:
            os.close(slave)
            eventually(lambda: "Ctrl-D ends them" in running.said(), "it says what it waits for")
            os.write(master, self.urls(1)[0].encode() + b"\n")
            self.assertEqual(running.outcome()["type"], "result")
            os.write(master, b"\x04")
            self.assertEqual(running.end()[0], 0)


if __name__ == "__main__":
    harness.main()
