"""Merges: many tasks, then one pipeline over all their results."""

import base64
import json
import subprocess
import threading

import harness
from harness import ServerTest
from processes import bound, eventually, with_more_time


class Merging(ServerTest):
    def merge(self, tasks, *steps, server=None, **fields):
        document = {"tasks": tasks, **fields}
        if steps:
            document["pipeline"] = [harness.pipeline_step(step) for step in steps]
        return (server or self.server).post("/v1/merge", document)

    def task(self, target, **fields):
        return {"url": self.origin.url(target), **fields}


class Results(Merging):
    def test_a_list_gives_an_array_in_input_order(self):
        tasks = [self.task(f"/delay?ms={ms}") for ms in (200, 0, 100)]
        response = self.assert_ok(self.merge(tasks))
        self.assertEqual(response.json(), [{"delay": 200}, {"delay": 0}, {"delay": 100}])
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(response.header("fetchmill-complete"), "true")
        self.assertEqual(response.header("x-content-type-options"), "nosniff")

    def test_names_give_an_object(self):
        select = [{"op": "json.select", "pointer": "/delay"}]
        tasks = {'a"\n': self.task("/delay?ms=50", pipeline=select), "b": self.task("/delay?ms=0")}
        response = self.merge(tasks)
        self.assertEqual(response.json(), {'a"\n': 50, "b": {"delay": 0}})

    def test_no_tasks(self):
        self.assertEqual(self.merge([]).body, b"[]")
        self.assertEqual(self.merge({}).body, b"{}")
        self.assertEqual(self.merge([], ("json.select", {"pointer": ""})).json(), [])

    def test_the_pipeline_sees_all_results(self):
        tasks = [self.task(f"/delay?ms={ms}") for ms in (1, 2, 3)]
        response = self.assert_ok(self.merge(tasks, ("json.aggregate", {"value": "/delay"})))
        found = response.json()
        self.assertEqual((found["count"], found["sum"], found["max"]), (3, 6, 3))
        self.assertRegex(response.header("etag"), '^"[0-9a-f]{32}"$')
        self.assertIn("process;dur=", response.header("server-timing"))
        tasks = {"x": self.task("/delay?ms=1"), "y": self.task("/delay?ms=2")}
        response = self.merge(tasks, ("json.select", {"pointer": "/y/delay"}))
        self.assertEqual(response.json(), 2)

    def test_what_is_not_json_is_a_string(self):
        binary = self.task("/bytes?n=5&type=application/octet-stream")
        response = self.merge([self.task("/text?text=a%22%0Ab&type=text/plain"), binary])
        self.assertEqual(response.json(), ['a"\nb', base64.b64encode(b"01234").decode()])

    def test_a_hostile_body_stays_one_value(self):
        bodies = ['{"a":1},{"b":2', '1,2', '"}]', '{"a":[}', "null,"]
        tasks = [
            {"url": self.origin.url("/text"), "pipeline": []} for _ in bodies
        ]
        for task, body in zip(tasks, bodies):
            quoted = "".join(f"%{byte:02x}" for byte in body.encode())
            task["url"] = self.origin.url(f"/text?type=application/json&text={quoted}")
        self.assertEqual(self.merge(tasks).json(), bodies)

    def test_large_results_are_joined(self):
        tasks = [self.task(f"/bytes?n={3_000_000 + n}") for n in range(8)]
        response = self.assert_ok(self.merge(tasks))
        self.assertEqual([len(text) for text in response.json()], [3_000_000 + n for n in range(8)])
        response = self.merge(tasks, ("json.select", {"pointer": "/7", "validate": True}))
        self.assertEqual(len(response.json()), 3_000_007)

    def test_a_thousand_tasks(self):
        tasks = [self.task("/json?records=1", id=str(n)) for n in range(1000)]
        select = {"pipeline": [{"op": "json.select", "pointer": "/0"}]}
        response = self.merge(tasks, ("json.aggregate", {"value": "/id"}), defaults=select)
        self.assertEqual(self.assert_ok(response).json()["count"], 1000)

    def test_with_curl(self):
        base = self.origin.url("/json?records=")
        document = {
            "tasks": {"small": {"url": base + "2"}, "large": {"url": base + "5"}},
            "pipeline": [
                {"op": "json.select", "pointer": {"a": "/small/1/id", "b": "/large/4/id"}}
            ],
        }
        address = "http://%s:%d/v1/merge" % self.server.address
        shown = subprocess.run(
            ["curl", "-s", address, "--json", json.dumps(document)],
            capture_output=True, timeout=bound(20), check=True,
        ).stdout
        self.assertEqual(json.loads(shown), {"a": 1, "b": 4})


class Failures(Merging):
    def test_one_fails_all_by_default(self):
        tasks = {
            "ok": self.task("/delay?ms=0"),
            "bad": self.task("/status?code=404"),
            "slow": self.task("/hang", timeout_ms=60_000),
        }
        problem = self.assert_problem(self.merge(tasks), "tasks_failed")
        (error,) = problem["errors"]
        self.assertEqual((error["type"], error["index"], error["id"]), ("error", 1, "bad"))
        self.assertEqual(error["error"]["code"], "upstream_status")
        self.assertEqual(error["upstream"]["status"], 404)
        eventually(lambda: self.origin.open_requests() == 0, "the others are cancelled")

    def test_a_partial_merge_has_null_in_place(self):
        tasks = [self.task("/delay?ms=1"), self.task("/status?code=500"), self.task("/delay?ms=3")]
        response = self.assert_ok(self.merge(tasks, on_error="partial"))
        self.assertEqual(response.json(), [{"delay": 1}, None, {"delay": 3}])
        self.assertEqual(response.header("fetchmill-complete"), "false")
        tasks = {"a": self.task("/status?code=500")}
        self.assertEqual(self.merge(tasks, on_error="partial").json(), {"a": None})

    def test_the_last_pipeline_fails(self):
        tasks = [self.task("/delay?ms=1")]
        response = self.merge(tasks, ("json.aggregate", {"value": "/delay", "items": "/no/list"}))
        self.assert_problem(response, "processing_failed", stage="process")

    def test_the_deadline_is_that_of_the_whole(self):
        tasks = [self.task("/delay?ms=0"), self.task("/hang", timeout_ms=60_000)]
        for on_error in ("fail", "partial"):

            def run(deadline_ms, on_error=on_error):
                response = self.merge(tasks, deadline_ms=deadline_ms, on_error=on_error)
                problem = self.assert_problem(response, "deadline_exceeded")
                self.assertEqual([error["index"] for error in problem["errors"]], [1])

            with_more_time(run, 300, 3000, 10_000)

    def test_who_hangs_up_cancels_the_tasks(self):
        body = json.dumps({"tasks": [self.task("/hang", timeout_ms=60_000)]}).encode()
        with self.server.raw() as client:
            client.send_request("POST", "/v1/merge", body, {"Content-Type": "application/json"})
            eventually(lambda: self.origin.open_requests() == 1, "the task runs")
        eventually(lambda: self.origin.open_requests() == 0, "the task is cancelled")

    def test_mistakes_are_refused(self):
        for document, code, field in (
            ({"tasks": {"a": {}}}, "invalid_request", "tasks.a.url"),
            ({"tasks": [], "pipeline": [{"op": "nope"}]}, "unknown_op", "pipeline[0].op"),
            ({"tasks": [], "pipelines": []}, "unknown_field", "pipelines"),
        ):
            self.assert_problem(self.server.post("/v1/merge", document), code, field=field)
        self.assert_problem(self.server.post("/v1/merge?op=hash", {"tasks": []}), "unknown_field")
        response = self.server.post("/v1/merge", b"x", {"Content-Type": "text/plain"})
        self.assert_problem(response, "unsupported_media_type")


class Limits(Merging):
    def test_results_that_are_too_large_together(self):
        server = self.start({"merge.max_bytes": 100_000})
        ten = [self.task("/bytes?n=9000") for _ in range(10)]
        self.assertEqual(len(self.merge(ten, server=server).json()), 10)
        response = self.merge(ten * 2, server=server, on_error="partial")
        self.assert_problem(response, "result_too_large")

    def test_merges_hold_no_more_together_than_they_may(self):
        server = self.start({"merge.held_mb": 1})
        tasks = [self.task("/bytes?n=700000")]
        self.assert_ok(self.merge(tasks, server=server))
        response = self.merge(tasks * 2, server=server)
        self.assert_problem(response, "overloaded")
        self.assert_ok(self.merge(tasks, server=server))

    def test_merges_beside_one_another(self):
        tasks = [self.task(f"/bytes?n={200_000 + n}") for n in range(10)]
        found = []

        def run():
            found.append([len(text) for text in self.merge(tasks).json()])

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, [[200_000 + n for n in range(10)]] * 8)


if __name__ == "__main__":
    harness.main()
