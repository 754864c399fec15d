"""Which ops there are, and what a pipeline of several costs."""

import json
import unittest
import urllib.parse

import harness
from harness import ServerTest, run_command
from processes import SANITIZED
from test_pipelines import write_config

THREE_STEPS = (
    ("json.select", {"pointer": "/1"}),
    ("json.select", {"pointer": "/id"}),
    "hash",
)


class Dispatches(ServerTest):
    def test_a_pipeline_of_three_steps_costs_one(self):
        url = self.origin.url("/json?records=3")
        count = 20
        before = self.server.metrics()
        for _ in range(count):
            self.assert_ok(self.server.fetch(url, *THREE_STEPS))
        pipeline = [harness.pipeline_step(step) for step in THREE_STEPS]
        batch = self.server.batch([{"url": url}] * count, defaults={"pipeline": pipeline})
        self.assertEqual(batch.summary["ok"], count)
        after = self.server.metrics()
        for name in ("worker_dispatches_total", "tasks_total"):
            with self.subTest(name):
                self.assertEqual(after.value(name) - before.value(name), 2 * count)

    def test_a_body_without_a_pipeline_costs_none(self):
        before = self.server.metrics().value("worker_dispatches_total")
        self.assert_ok(self.server.fetch(self.origin.url("/json?records=3")))
        self.assertEqual(self.server.metrics().value("worker_dispatches_total"), before)


class Examples(ServerTest):
    def test_those_of_the_catalogue_hold_in_a_worker(self):
        ran = 0
        for op in self.server.get("/v1/ops").json()["ops"]:
            for example in op["examples"]:
                with self.subTest(example["step"]):
                    query = urllib.parse.urlencode({"pipeline": json.dumps([example["step"]])})
                    response = self.server.request(
                        "POST",
                        "/v1/process?" + query,
                        example["input"].encode(),
                        {"Content-Type": example["media_type"].replace("*/*", "text/plain")},
                    )
                    self.assertEqual(self.assert_ok(response).body.decode(), example["output"])
                    ran += 1
        self.assertGreaterEqual(ran, 6)


class Refused(ServerTest):
    STEPS = (
        ({"op": "compress", "level": 0}, "level"),
        ({"op": "compress", "codec": "br", "level": 12}, "level"),
        ({"op": "json.validate", "schema": []}, "schema"),
        ({"op": "json.aggregate", "value": "/a", "group_by": "/a/b"}, "group_by"),
        ({"op": "prometheus.format", "metrics": []}, "metrics"),
        ({"op": "prometheus.format", "metrics": [{"name": "1"}]}, "metrics[0].name"),
        ({"op": "json.query", "query": "$["}, "query"),
        ({"op": "html.select", "selector": "["}, "selector"),
        ({"op": "jq", "program": "\0"}, "program"),
    )

    def test_in_parameters_cost_no_upstream_anything(self):
        self.origin.wait_for_rest()
        self.origin.reset_counters()
        url = self.origin.url("/echo")
        for step, parameter in self.STEPS:
            with self.subTest(step):
                order = {"method": "POST", "body": "order", "pipeline": [step]}
                response = self.server.fetch(url, **order)
                problem = self.assert_problem(
                    response, "invalid_request", field="pipeline[0]." + parameter
                )
                self.assertNotIn("stage", problem)
        self.assertEqual(self.origin.counters()["requests"]["total"], 0)


# Numbers that no double holds.
SCHEMA = '{"enum": [1e400, 9007199254740993.0, 12345678901234567890.5]}'
STEPS = '[{"op": "json.validate", "schema": %s}]' % SCHEMA


class JsonParameters(ServerTest):
    NUMBERS = {
        "1.0E400": True,
        "1e401": False,
        "9007199254740993": True,
        "9007199254740992": False,
        "12345678901234567890.50": True,
        "12345678901234567890": False,
    }

    @classmethod
    def setUpClass(cls):
        path = write_config(cls, "[pipelines.exact]\nsteps = '" + STEPS + "'\n")
        cls.settings = {"config": path}
        super().setUpClass()

    def results(self, number):
        """What is said of a number, by each way that a schema can come."""
        url = self.origin.url("/text?type=application/json&text=" + number)
        query = {"op": "json.validate", "schema": SCHEMA}
        yield "query", self.server.get("/v1/fetch", url=url, **query).json()
        yield "steps", self.server.get("/v1/fetch", url=url, pipeline=STEPS).json()
        yield "name", self.server.get("/v1/fetch", url=url, pipeline="exact").json()
        task = '{"url": "%s", "pipeline": %s}' % (url, STEPS)
        yield "task", self.server.post("/v1/fetch", task.encode()).json()
        defaults = '{"defaults": {"pipeline": %s}, "tasks": [{"url": "%s"}]}' % (STEPS, url)
        for way, body, media_type in (
            ("tasks", '{"tasks": [%s]}' % task, "application/json"),
            ("defaults", defaults, "application/json"),
            ("line", task, "application/x-ndjson"),
        ):
            headers = {"Content-Type": media_type}
            response = self.server.request("POST", "/v1/batch", body.encode(), headers)
            yield way, harness.Batch(self.assert_ok(response)).outcomes[0]["result"]

    def test_their_numbers_stay_as_they_were_written(self):
        for number, is_valid in self.NUMBERS.items():
            for way, result in self.results(number):
                with self.subTest(number=number, way=way):
                    self.assertIs(result.get("valid"), is_valid, result)
        listed = self.server.get("/v1/pipelines").body
        self.assertIn(SCHEMA.replace(" ", "").encode(), listed)

    def test_one_that_is_cut_is_told_where(self):
        response = self.server.process(b"1", "json.validate", schema='{"const": 1')
        problem = self.assert_problem(response, "invalid_request", field="schema")
        self.assertEqual(
            problem["detail"],
            "schema must be a JSON value; it is not JSON: expected ',' or '}', not the end of the"
            " text at line 1, column 12 (byte 11); in a URL, percent-encode the whole value",
        )


@unittest.skipIf(SANITIZED, "workers have no limit on what they allocate")
class Memory(ServerTest):
    def test_what_libjq_cannot_allocate(self):
        response = self.server.process(b"null", "jq", program=".[999999999] = 1")
        self.assert_problem(response, "worker_out_of_memory", stage="process")
        self.assert_ok(self.server.process(b"null", "jq", program="."))

    def test_fields_stop_inside_a_record_before_a_worker_must(self):
        fields = json.dumps({str(i): ":scope" for i in range(120)})
        page = b"<p>" + b"x" * 15_000_000
        response = self.server.process(page, "html.select", selector="p", fields=fields)
        self.assert_problem(response, "result_too_large", stage="process")

    def test_links_of_a_long_base_stop_before_a_worker_must(self):
        page = b"<base href='https://a.example/" + b"d" * 100_000 + b"/'>"
        response = self.server.process(page + b"<a href=x>t</a>" * 200_000, "html.markdown")
        self.assert_problem(response, "result_too_large", stage="process")

    def test_labels_stop_before_a_worker_must(self):
        labels = {f"l{i}": "a constant of some size" for i in range(39)} | {"i": "$key"}
        metrics = json.dumps([{"name": "a", "items": "", "labels": labels}])
        body = b"[" + b"1," * 999_999 + b"1]"
        response = self.server.process(body, "prometheus.format", metrics=metrics)
        self.assert_problem(response, "result_too_large", stage="process")


class Disabled(ServerTest):
    settings = {"ops.disabled": "json.*,cpu.loop"}

    def test_they_are_unknown_and_the_answer_says_why(self):
        problem = self.assert_problem(
            self.server.process(b"{}", "json.validate"), "unknown_op", field="op"
        )
        self.assertEqual(
            problem["detail"], "the op 'json.validate' is disabled on this server"
        )
        response = self.server.fetch(self.origin.url("/json"), "hash", "json.validate")
        self.assert_problem(response, "unknown_op", field="pipeline[1].op")
        self.assert_ok(self.server.process(b"{}", "hash"))

    def test_a_mistyped_name_is_not_led_to_one(self):
        problem = self.server.process(b"{}", "json.validat").json()
        self.assertNotIn("json.validate?", problem["detail"])

    def test_they_are_not_listed(self):
        names = {op["name"] for op in self.server.get("/v1/ops").json()["ops"]}
        self.assertIn("hash", names)
        schemas = self.server.get("/openapi.json").json()["components"]["schemas"]
        for name in ("json.select", "json.aggregate", "cpu.loop"):
            self.assertNotIn(name, names)
            self.assertNotIn("op." + name, schemas)


class Enabled(ServerTest):
    settings = {"ops.enabled": "json.*,hash", "ops.disabled": "json.select"}

    def test_nothing_else_is_there(self):
        names = {op["name"] for op in self.server.get("/v1/ops").json()["ops"]}
        self.assertLessEqual({"json.validate", "hash"}, names)
        self.assertFalse({name for name in names if not name.startswith("json.")} - {"hash"})
        self.assertNotIn("json.select", names)


class Mistakes(unittest.TestCase):
    def test_all_of_them_are_listed(self):
        path = write_config(
            self,
            '[ops]\nenabled = ["json.*", "hahs"]\ndisabled = ["json.select", "nope.*", "a b"]\n'
            '[pipelines.a]\nsteps = [{op = "json.validate"}]\n',
        )
        result = run_command("check-config", "--config", path)
        self.assertEqual(result.returncode, 2, result)
        for part in ("'hahs' is none; did you mean hash?", "ops.disabled = a b: expected"):
            self.assertIn(part, result.stderr)

    def test_a_named_pipeline_of_a_disabled_op_is_one(self):
        steps = '[{op = "hash"}, {op = "json.validate"}]'
        path = write_config(self, f"[pipelines.a]\nsteps = {steps}\n")
        for command in ("check-config", "serve"):
            result = run_command(command, "--config", path, "--ops.disabled", "json.*,nope.*")
            self.assertEqual(result.returncode, 2, result)
            for part in (
                "pipelines.a.steps[1].op: expected a valid step: the op 'json.validate' is",
                "ops.disabled: expected ops that `fetchmill ops` lists, and 'nope.*' is none",
            ):
                self.assertIn(part, result.stderr)


if __name__ == "__main__":
    harness.main()
