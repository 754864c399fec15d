"""SIGHUP: what is taken over, what is not, and that nothing is lost meanwhile."""

import concurrent.futures
import os
import pathlib
import signal
import tempfile
import threading
import time

import harness
from harness import ServerTest
from processes import bound, eventually
from upstreams import AnsweringUpstream, Certificates, Origin

OPEN = "[fetch]\nallow_networks = ['127.0.0.0/8']\n"


class Reloading(ServerTest):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.config = folder / "fetchmill.toml"

    def serve(self, text, **settings):
        self.config.write_text(text)
        return self.start({"config": self.config, "fetch.allow_networks": None, **settings})

    def reloads(self, server, result):
        return server.metrics().value("config_reloads_total", result=result)

    def reload(self, server, text, result="ok", entries=1):
        """Writes the file and reloads; returns the log entries that came of it, so many."""
        before = self.reloads(server, result)
        logged = len(server.log)
        self.config.write_text(text)
        os.kill(server.pid, signal.SIGHUP)
        eventually(lambda: self.reloads(server, result) == before + 1, "the reload ends")

        def found():
            return [entry for entry in server.log[logged:] if entry.get("component") == "reload"]

        eventually(lambda: len(found()) >= entries, "the log tells of it")
        return found()


class TakenOver(Reloading):
    def test_allow_and_deny_lists(self):
        url = self.origin.url("/json?records=1")
        server = self.serve(OPEN)
        self.assert_ok(server.fetch(url))
        (entry,) = self.reload(server, OPEN + "deny_networks = ['127.0.0.1/32']\n")
        self.assertEqual(entry["message"], "settings reloaded")
        self.assertEqual(entry["changed"], "fetch.deny_networks")
        self.assertEqual(entry["need_restart"], "nothing")
        self.assert_problem(server.fetch(url), "address_denied")
        self.reload(server, OPEN + "deny_hosts = ['localhost']\n")
        self.assert_ok(server.fetch(url))
        self.assert_problem(server.fetch(url.replace("127.0.0.1", "localhost")), "url_denied")

    def test_the_lists_of_now_hold_for_a_retry(self):
        lists = "[fetch]\nallow_networks = ['127.0.0.0/8', '::1/128']\n"
        asked, replaced = threading.Event(), threading.Event()

        def answer(_head, _number):
            asked.set()
            replaced.wait(timeout=bound(20))
            return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

        upstream = self.enterContext(AnsweringUpstream(answer))
        pool = self.enterContext(concurrent.futures.ThreadPoolExecutor(1))
        server = self.serve(lists)
        fetching = pool.submit(server.fetch, upstream.url("/", host="localhost"))
        self.assertTrue(asked.wait(timeout=bound(20)))
        self.reload(server, lists + "deny_hosts = ['localhost']\n")
        replaced.set()
        self.assert_problem(fetching.result(), "url_denied")
        self.assertEqual(len(upstream.heads), 1)
        self.assertEqual(server.metrics().value("fetch_denied_total", reason="host"), 1)

    def test_pipelines(self):
        url = self.origin.url("/json?records=2")
        server = self.serve(
            OPEN + "[pipelines.a]\nsteps = [{op = 'json.select', pointer = '/1/id'}]\n"
        )
        self.assertEqual(server.fetch(url, pipeline="a").json(), 1)
        self.reload(
            server,
            OPEN + "[pipelines]\nonly = true\n"
            "[pipelines.b]\nsteps = [{op = 'json.select', pointer = '/0/id'}]\n",
        )
        self.assert_problem(server.fetch(url, pipeline="a"), "invalid_request", field="pipeline")
        self.assertEqual(server.fetch(url, pipeline="b").json(), 0)
        self.assert_problem(server.fetch(url, "hash"), "pipeline_denied")
        (listed,) = server.get("/v1/pipelines").json()["pipelines"]
        self.assertEqual(listed["name"], "b")

    def test_credentials_and_their_files(self):
        token = self.config.with_name("token")
        token.write_text("one\n")
        text = OPEN + (
            f"[credentials.a]\norigins = ['{self.origin.url('')}']\nvalue_file = '{token}'\n"
        )
        server = self.serve(text)

        def sent():
            headers = server.fetch(self.origin.url("/echo"), credential="a").json()["headers"]
            return dict(headers)["Authorization"]

        self.assertEqual(sent(), "one")
        token.write_text("two\n")
        (entry,) = self.reload(server, text)
        self.assertEqual(entry["changed"], "credentials.a.value")
        self.assertEqual(sent(), "two")
        self.reload(server, OPEN)
        response = server.fetch(self.origin.url("/echo"), credential="a")
        self.assert_problem(response, "invalid_request", field="credential")

    def test_limits(self):
        server = self.serve(OPEN + "[batch]\nmax_tasks = 2\n")
        tasks = [{"url": self.origin.url("/json"), "timeout_ms": 60_000}] * 3
        response = server.post("/v1/batch", {"tasks": tasks})
        self.assert_problem(response, "payload_too_large")
        (entry,) = self.reload(server, OPEN + "timeout_ms = 100\n[batch]\nmax_tasks = 3\n")
        self.assertEqual(entry["changed"], "fetch.timeout_ms, batch.max_tasks")
        self.assertEqual(server.batch(tasks).summary["ok"], 3)
        self.assert_problem(server.fetch(self.origin.url("/hang")), "upstream_timeout")

    def test_the_log_level(self):
        server = self.serve(OPEN)
        self.reload(server, OPEN + "[log]\nlevel = 'error'\n", entries=0)
        (entry,) = self.reload(server, OPEN + "[log]\nlevel = 'debug'\n")
        self.assertEqual(entry["changed"], "log.level")

    def test_the_ca_file(self):
        mine = self.enterContext(Certificates())
        others = self.enterContext(Certificates())
        origin = self.enterContext(Origin(mine))
        ca = self.config.with_name("ca.pem")
        ca.write_bytes(pathlib.Path(mine.ca_file).read_bytes())
        text = OPEN + f"ca_file = '{ca}'\n"
        server = self.serve(text)
        url = origin.tls_url("/json?records=1")
        self.assert_ok(server.fetch(url, cache="bypass"))
        # Also what was connected, or may be resumed, under the old one.
        ca.write_bytes(pathlib.Path(others.ca_file).read_bytes())
        self.reload(server, text)
        self.assert_problem(server.fetch(url, cache="bypass"), "tls_failed")
        ca.write_bytes(pathlib.Path(mine.ca_file).read_bytes())
        self.reload(server, text)
        self.assert_ok(server.fetch(url, cache="bypass"))

    def test_what_needs_a_restart_is_named(self):
        server = self.serve(OPEN)
        text = OPEN + "cache_mb = 1\n[server]\nhosts = ['a.example']\n"
        for _ in range(2):
            (entry,) = self.reload(server, text)
            self.assertEqual(entry["changed"], "nothing")
            self.assertEqual(entry["need_restart"], "server.hosts, fetch.cache_mb")
        self.assertEqual(server.get("/readyz").status, 200)

    def test_the_time_of_the_last_success(self):
        started = int(time.time())
        server = self.serve(OPEN)
        name = "config_last_reload_success_timestamp_seconds"
        first = server.metrics().value(name)
        self.assertGreaterEqual(first, started)
        eventually(lambda: int(time.time()) > first, "the clock moves on")
        self.reload(server, "nonsense", result="failed")
        self.assertEqual(server.metrics().value(name), first)
        self.reload(server, OPEN)
        self.assertGreater(server.metrics().value(name), first)


class AllOrNothing(Reloading):
    def test_every_mistake_is_told_and_the_last_good_holds(self):
        url = self.origin.url("/json?records=1")
        server = self.serve(OPEN + "[pipelines.a]\nsteps = [{op = 'hash'}]\n")
        entries = self.reload(
            server,
            "[fetch]\ndeny_networks = ['127.0.0.0/8']\ntimeout_ms = 0\n"
            "[pipelines.a]\nsteps = [{op = 'hsh'}]\n[nonsense]\n",
            result="failed",
            entries=3,
        )
        mistakes = [entry["mistake"] for entry in entries]
        self.assertEqual({entry["message"] for entry in entries}, {"settings not reloaded"})
        self.assertEqual(len(mistakes), 3, mistakes)
        for part in ("fetch.timeout_ms", "pipelines.a.steps[0].op", "nonsense"):
            self.assertTrue(any(part in mistake for mistake in mistakes), part)
        self.assert_ok(server.fetch(url, pipeline="a"))
        # Mistakes that only files or names show, beside a list that is good.
        entries = self.reload(
            server,
            "[fetch]\ndeny_networks = ['127.0.0.0/8']\nca_file = '/nonexistent'\n"
            "[credentials.a]\norigins = ['https://a']\nvalue = 'hunter2'\nheader = 'Host'\n",
            result="failed",
            entries=2,
        )
        self.assertEqual(len(entries), 2, entries)
        self.assertNotIn("hunter2", str(server.log))
        self.assert_ok(server.fetch(url, pipeline="a"))

    def test_pipelines_that_do_not_compile(self):
        url = self.origin.url("/json?records=2")
        kept = "[pipelines.kept]\nsteps = [{op = 'jq', program = '.[1].id'}]\n"
        server = self.serve(OPEN + kept)
        entries = self.reload(
            server,
            OPEN + "[pipelines.kept]\nsteps = [{op = 'json.minify'}, {op = 'jq', program = '.['},"
            " {op = 'hash'}, {op = 'xml.select', xpath = '//a['}]\n"
            "[pipelines.good]\nsteps = [{op = 'hash'}]\n"
            "[pipelines.bad]\nsteps = [{op = 'text.match', pattern = '('}]\n"
            "[pipelines.worse]\nsteps = [{op = 'hsh'}]\n",
            result="failed",
            entries=4,
        )
        self.assertIn("pipelines.worse.steps[0].op", entries.pop(0)["mistake"])
        self.assertEqual(
            [entry["mistake"].partition(": ")[0] for entry in entries],
            [
                "pipelines.kept.steps[1].program",
                "pipelines.kept.steps[3].xpath",
                "pipelines.bad.steps[0].pattern",
            ],
        )
        self.assertEqual(server.fetch(url, pipeline="kept").json(), 1)
        self.assert_problem(server.fetch(url, pipeline="good"), "invalid_request")
        changed = "[pipelines.kept]\nsteps = [{op = 'jq', program = '.[0].id'}]\n"
        self.reload(server, OPEN + changed)
        self.assertEqual(server.fetch(url, pipeline="kept").json(), 0)

    def test_of_very_many_mistakes_some_are_told(self):
        server = self.serve(OPEN)
        text = OPEN + "".join(f"nonsense_{n} = 1\n" for n in range(102))
        entries = self.reload(server, text, result="failed", entries=101)
        self.assertEqual(len(entries), 101)
        self.assertIn("fetch.nonsense_99", entries[-2]["mistake"])
        self.assertEqual(entries[-1]["mistake"], "and 2 more")

    def test_a_file_that_is_gone(self):
        server = self.serve(OPEN)
        self.config.unlink()
        os.kill(server.pid, signal.SIGHUP)
        eventually(lambda: self.reloads(server, "failed") == 1, "the reload fails")
        self.assert_ok(server.fetch(self.origin.url("/json")))


class UnderLoad(Reloading):
    def test_nothing_is_lost(self):
        texts = [
            OPEN + f"deny_hosts = ['h{n}.example']\nretries = {n}\n"
            f"[pipelines.p]\nsteps = [{{op = 'hash', algorithm = '{algorithm}'}}]\n"
            for n, algorithm in ((1, "md5"), (2, "crc32"))
        ]
        server = self.serve(texts[0])
        urls = [self.origin.url(f"/json?records={n}") for n in (1, 50)]
        tasks = [{"url": url, "pipeline": "p", "cache": "bypass"} for url in urls] * 50
        found = []
        over = threading.Event()

        def load():
            while not over.is_set():
                found.append(server.batch(tasks).summary)
                found.append(server.batch([{"url": urls[0], "pipeline": "p"}]).summary)

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for n in range(10):
                self.reload(server, texts[(n + 1) % 2])
            # Several at once: the last word is what holds.
            for _ in range(10):
                os.kill(server.pid, signal.SIGHUP)
        finally:
            over.set()
            for thread in threads:
                thread.join(timeout=bound(60))
        self.assertGreater(len(found), 3)
        self.assertEqual([summary for summary in found if summary["failed"]], [])
        self.assertEqual(self.reloads(server, "failed"), 0)


if __name__ == "__main__":
    harness.main()
