"""Named pipelines: where they are taken, what may be run beside them, and mistakes in them."""

import json
import pathlib
import tempfile
import unittest

import harness
from harness import ServerTest, run_command

PIPELINES = """
[pipelines.second_id]
summary = "The second record's id."
steps = [
  {op = "json.select", pointer = "/1"},
  {op = "json.select", pointer = "/id"},
]
[pipelines.digest]
steps = [{op = "hash", algorithm = "md5"}]
"""


def write_config(test, text):
    """A settings file that lives as long as the test, or the test's class."""
    folder = (
        test.enterClassContext if isinstance(test, type) else test.enterContext
    )(tempfile.TemporaryDirectory())
    path = pathlib.Path(folder, "fetchmill.toml")
    path.write_text(text)
    return path


class Named(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.settings = {"config": write_config(cls, PIPELINES)}
        super().setUpClass()

    def test_in_every_kind_of_task(self):
        url = self.origin.url("/json?records=3")
        self.assertEqual(self.server.fetch(url, pipeline="second_id").json(), 1)
        self.assertEqual(self.server.get("/v1/fetch", url=url, pipeline="second_id").json(), 1)
        body = b'[0, {"id": "b"}]'
        response = self.server.request("POST", "/v1/process?pipeline=second_id", body)
        self.assertEqual(response.json(), "b")
        tasks = [{"url": url}, {"url": url, "pipeline": "digest"}]
        batch = self.server.batch(tasks, defaults={"pipeline": "second_id"}, order="input")
        self.assertEqual(batch.outcomes[0]["result"], 1)
        self.assertRegex(batch.outcomes[1]["text"], "^[0-9a-f]{32}$")
        lines = json.dumps({"url": url}) + "\n" + json.dumps(tasks[1]) + "\n"
        response = self.server.request(
            "POST",
            "/v1/batch?order=input&pipeline=second_id",
            lines.encode(),
            {"Content-Type": "application/x-ndjson"},
        )
        outcomes = harness.Batch(response).outcomes
        self.assertEqual(outcomes[0]["result"], 1)
        self.assertRegex(outcomes[1]["text"], "^[0-9a-f]{32}$")

    def test_a_name_nobody_gave(self):
        response = self.server.fetch(self.origin.url("/json"), pipeline="secondid")
        problem = self.assert_problem(response, "invalid_request", field="pipeline")
        self.assertIn("did you mean second_id?", problem["detail"])
        response = self.server.post("/v1/batch", {"tasks": [{"url": "http://a/", "pipeline": "x"}]})
        self.assert_problem(response, "invalid_request", field="tasks[0].pipeline")

    def test_they_are_listed(self):
        listed = self.server.get("/v1/pipelines").json()
        self.assertIs(listed["only"], False)
        self.assertEqual([p["name"] for p in listed["pipelines"]], ["second_id", "digest"])
        self.assertEqual(listed["pipelines"][0]["summary"], "The second record's id.")
        step = {"op": "json.select", "pointer": "/id"}
        self.assertEqual(listed["pipelines"][0]["steps"][1], step)

    def test_others_may_be_run_beside_them(self):
        url = self.origin.url("/json?records=1")
        self.assertEqual(self.server.fetch(url, ("json.select", {"pointer": "/0/id"})).json(), 0)


class Only(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.settings = {"config": write_config(cls, "[pipelines]\nonly = true\n" + PIPELINES)}
        super().setUpClass()

    def test_what_clients_say_themselves_is_refused(self):
        url = self.origin.url("/json?records=3")
        self.assert_problem(self.server.fetch(url, "hash"), "pipeline_denied", field="pipeline")
        response = self.server.get("/v1/fetch", url=url, op="hash")
        self.assert_problem(response, "pipeline_denied", field="op")
        self.assert_problem(self.server.process(b"[]", "hash"), "pipeline_denied", field="op")
        defaults = {"pipeline": [{"op": "hash"}]}
        response = self.server.post("/v1/batch", {"tasks": [], "defaults": defaults})
        self.assert_problem(response, "pipeline_denied", field="defaults.pipeline")
        self.assertIs(self.server.get("/v1/pipelines").json()["only"], True)

    def test_names_and_whole_bodies_are_not(self):
        url = self.origin.url("/json?records=3")
        self.assertEqual(self.server.fetch(url, pipeline="second_id").json(), 1)
        self.assertEqual(len(self.server.fetch(url).json()), 3)


class Mistakes(unittest.TestCase):
    def assert_listed(self, path, *parts):
        for command in ("check-config", "serve"):
            result = run_command(command, "--config", path)
            self.assertEqual(result.returncode, 2, result)
            for part in parts:
                self.assertIn(part, result.stderr)
            self.assertNotIn("pipelines.good", result.stderr)

    def test_all_of_them_are_listed(self):
        path = write_config(
            self,
            "[pipelines.a]\nsteps = [{op = \"json.selct\"}, {op = \"json.select\", ponter = 1}]\n"
            "[pipelines.b]\nsummary = \"x\"\n"
            "[pipelines.c]\nsteps = []\n",
        )
        self.assert_listed(
            path,
            "pipelines.a.steps[0].op",
            "did you mean json.select?",
            "pipelines.a.steps[1].ponter",
            "pipelines.a.steps[1].pointer",
            "pipelines.b.steps",
            "pipelines.c.steps",
        )

    def test_so_are_those_that_only_compiling_tells(self):
        path = write_config(
            self,
            "[pipelines.a]\nsteps = [{op = \"jq\", program = \".a |\"},"
            " {op = \"xml.select\", xpath = \"//a[\"}]\n"
            "[pipelines.b]\nsteps = [{op = \"text.match\", pattern = \"(\"},"
            " {op = \"json.validate\", schema = {type = \"text\"}}]\n"
            "[pipelines.c]\nsteps = [{op = \"compress\", level = 0},"
            " {op = \"prometheus.format\", metrics = []}]\n"
            "[pipelines.good]\nsteps = [{op = \"jq\", program = \".a\"}]\n",
        )
        self.assert_listed(
            path,
            "pipelines.a.steps[0].program: expected a valid step: syntax error",
            "pipelines.a.steps[1].xpath",
            "pipelines.b.steps[0].pattern",
            "pipelines.b.steps[1].schema",
            "pipelines.c.steps[0].level",
            "pipelines.c.steps[1].metrics",
        )

    def test_what_is_printed_can_be_read_again(self):
        printed = run_command("print-config", "--config", write_config(self, PIPELINES)).stdout
        again = run_command("print-config", "--config", write_config(self, printed))
        self.assertEqual((again.stdout, again.returncode), (printed, 0))


if __name__ == "__main__":
    harness.main()
