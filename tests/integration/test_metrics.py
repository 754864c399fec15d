"""GET /metrics: valid, true, and free of what callers send."""

import re
import shutil
import unittest

import harness
from harness import ServerTest
from processes import eventually


class Exposition(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Something of everything, so that every family has series.
        url = cls.origin.url("/json?records=3")
        cls.server.fetch(url, ("json.select", {"pointer": "/0"}))
        cls.server.fetch(cls.origin.url("/status?code=404"))
        cls.server.fetch("http://10.0.0.1/")
        cls.server.batch([{"url": url}, {"url": "http://secret-host.invalid/secret-path"}])
        cls.server.get("/secret-path?secret-query=1")
        cls.server.request("SECRETMETHOD", "/livez", b"")

    def test_the_media_type(self):
        content_type = self.server.get("/metrics").header("content-type")
        self.assertRegex(content_type, r"^text/plain; ?version=0\.0\.4(; ?charset=utf-8)?$")

    @unittest.skipUnless(shutil.which("promtool"), "promtool (Debian: prometheus) is not installed")
    def test_promtool_is_silent(self):
        said = harness.promtool_says(self.server.get("/metrics").body)
        self.assertEqual(said, (0, b"", b""))

    def test_every_family_is_ours_or_the_standards(self):
        names = re.findall(r"^# TYPE (\w+) ", self.server.metrics().text, re.MULTILINE)
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertRegex(name, r"^(fetchmill_|process_)")

    def test_the_catalogue_of_the_design(self):
        text = self.server.metrics().text
        families = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
        expected = {
            "http_requests_total": "counter",
            "http_request_duration_seconds": "histogram",
            "http_connections": "gauge",
            "http_requests_in_flight": "gauge",
            "fetch_requests_total": "counter",
            "fetch_phase_duration_seconds": "histogram",
            "fetch_bytes_total": "counter",
            "fetch_denied_total": "counter",
            "fetch_connections": "gauge",
            "tasks_total": "counter",
            "task_duration_seconds": "histogram",
            "task_queue_wait_seconds": "histogram",
            "task_queue_depth": "gauge",
            "workers": "gauge",
            "worker_restarts_total": "counter",
            "region_bytes": "gauge",
            "event_loop_lag_seconds": "histogram",
            "build_info": "gauge",
        }
        for name, kind in expected.items():
            with self.subTest(name):
                self.assertEqual(families.get("fetchmill_" + name), kind)
        for name in ("process_cpu_seconds_total", "process_resident_memory_bytes",
                     "process_open_fds", "process_max_fds", "process_start_time_seconds"):
            with self.subTest(name):
                self.assertIn(name, families)

    def test_no_label_says_what_was_asked_for(self):
        text = self.server.metrics().text
        for leak in ("secret", "SECRET", "10.0.0.1", "127.0.0.1", "http://", str(self.origin.port)):
            with self.subTest(leak):
                self.assertNotIn(leak, text)


class Fresh(ServerTest):
    def test_counters_of_few_series_begin_at_zero(self):
        """A series that begins at 1 hides its first increment from increase()."""
        metrics = self.server.metrics()
        for name, label in (
            ("config_reloads_total", {"result": "failed"}),
            ("http_refused_total", {"reason": "bare_lf"}),
            ("fetch_denied_total", {"reason": "private"}),
            ("fetch_retries_total", {"reason": "connect_failed"}),
            ("fetch_circuit_changes_total", {"state": "open"}),
            ("loop_restarts_total", {"reason": "signal"}),
        ):
            self.assertIn(("fetchmill_" + name, label, 0), metrics.series)

    def test_there_are_no_series_that_cannot_be(self):
        self.server.batch([{"url": self.origin.url("/json")}])
        self.server.get("/nothing-here")
        series = [labels for name, labels, _ in self.server.metrics().series
                  if name == "fetchmill_http_requests_total" and labels["method"] == "GET"]
        self.assertNotIn("batch", {labels["route"] for labels in series})
        self.assertFalse([s for s in series if s["route"] == "none" and s["code"] == "200"])


class Truth(ServerTest):
    def test_requests_are_counted(self):
        before = self.server.metrics()
        for _ in range(7):
            self.server.get("/v1/fetch", url=self.origin.url("/json"))
        for _ in range(3):
            self.server.fetch(self.origin.url("/status?code=404"))
        after = self.server.metrics()

        def grown(name, **labels):
            return after.value(name, **labels) - before.value(name, **labels)

        self.assertEqual(grown("http_requests_total", method="GET", code="200", route="fetch"), 7)
        self.assertEqual(grown("http_requests_total", method="POST", code="502", route="fetch"), 3)
        self.assertEqual(grown("http_request_duration_seconds_count", route="fetch"), 10)
        self.assertEqual(grown("fetch_requests_total"), 10)
        self.assertEqual(grown("fetch_requests_total", outcome="ok"), 7)
        body_bytes = 7 * len(self.origin.get("/json").body)
        self.assertGreaterEqual(grown("fetch_bytes_total", direction="in"), body_bytes)

    def test_tasks_are_counted(self):
        url = self.origin.url("/json")
        before = self.server.metrics()
        pipeline = [{"op": "json.select", "pointer": "/0/id"}]
        self.server.batch([{"url": url}] * 50, defaults={"pipeline": pipeline})
        after = self.server.metrics()
        counted = [m.value("tasks_total", op="json.select", outcome="ok") for m in (before, after)]
        self.assertEqual(counted[1] - counted[0], 50)
        timed = [m.value("task_duration_seconds_count", op="json.select") for m in (before, after)]
        self.assertEqual(timed[1] - timed[0], 50)

    def test_workers_and_connections_are_gauges_of_now(self):
        def workers():
            now = self.server.metrics()
            return [now.value("workers", state=state) for state in ("idle", "standby")]

        eventually(lambda: workers() == [2, 1], "all workers run")
        with self.server.raw() as client:
            client.send_request("GET", "/livez")
            client.read_response()
            eventually(
                lambda: self.server.metrics().value("http_connections") == 2, "there are two"
            )
        eventually(lambda: self.server.metrics().value("http_connections") == 1, "it has closed")

    def test_build_info(self):
        self.assertEqual(self.server.metrics().value("build_info"), 1)

    def test_a_counter_never_falls(self):
        first = self.server.metrics()
        self.server.fetch(self.origin.url("/json"))
        second = self.server.metrics()
        for name, labels, value in first.series:
            if name.endswith(("_total", "_count", "_bucket")):
                later = sum(v for n, ls, v in second.series if (n, ls) == (name, labels))
                self.assertGreaterEqual(later, value, (name, labels))


if __name__ == "__main__":
    harness.main()
