"""Credentials by name: sent to their origins only, hop by hop, and never shown."""

import json
import pathlib
import tempfile
import unittest

import harness
from harness import ServerTest, run_command
from upstreams import AnsweringUpstream, Origin

SECRET = "Bearer hunter2-hunter2"


def sent_fields(response):
    """The request fields that /echo saw, as {lower-case name: value}."""
    return {name.lower(): value for name, value in response.json()["headers"]}


class Credentials(ServerTest):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (folder / "token").write_text(SECRET + "\n")
        cls.config = folder / "fetchmill.toml"
        # Known before the server starts, which the common set-up starts last.
        cls.mine = cls.enterClassContext(Origin())
        cls.other = cls.enterClassContext(Origin())
        cls.config.write_text(
            f"[credentials.mine]\norigins = ['http://127.0.0.1:{cls.mine.port}']\n"
            f"value_file = '{folder / 'token'}'\n"
            f"[credentials.key]\norigins = ['http://127.0.0.1:{cls.mine.port}']\n"
            f"methods = ['GET', 'POST']\nheader = 'X-Api-Key'\nvalue = 'hunter2-key'\n"
        )
        cls.settings = {"config": cls.config, "log.level": "debug"}
        super().setUpClass()

    def fetch(self, target, origin=None, credential="mine", **task):
        return self.server.fetch((origin or self.mine).url(target), credential=credential, **task)

    def test_is_sent_to_its_origin(self):
        self.assertEqual(sent_fields(self.fetch("/echo"))["authorization"], SECRET)
        fields = sent_fields(self.fetch("/echo", credential="key", method="POST", body="x"))
        self.assertEqual(fields["x-api-key"], "hunter2-key")
        url = self.mine.url("/echo")
        response = self.server.get("/v1/fetch", url=url, credential="mine")
        self.assertEqual(sent_fields(response)["authorization"], SECRET)

    def test_in_batches_and_merges(self):
        task = {"url": self.mine.url("/echo"), "credential": "mine"}
        denied = {"url": self.other.url("/echo"), "credential": "mine"}
        batch = self.server.batch([task, denied], order="input")
        self.assertIn(["Authorization", SECRET], batch.outcomes[0]["result"]["headers"])
        self.assertEqual(batch.outcomes[1]["error"]["code"], "credential_denied")
        lines = (json.dumps(task) + "\n" + json.dumps(denied) + "\n").encode()
        response = self.server.request(
            "POST", "/v1/batch?order=input", lines, {"Content-Type": "application/x-ndjson"}
        )
        outcomes = harness.Batch(response).outcomes
        self.assertEqual([outcome["type"] for outcome in outcomes], ["result", "error"])
        text = self.mine.url("/echo").encode()
        response = self.server.request(
            "POST", "/v1/batch?credential=mine", text, {"Content-Type": "text/plain"}
        )
        self.assertEqual(harness.Batch(response).summary["ok"], 1)
        response = self.server.post("/v1/merge", {"tasks": [task]})
        self.assertIn(["Authorization", SECRET], response.json()[0]["headers"])

    def test_not_elsewhere(self):
        self.assert_problem(
            self.fetch("/echo", origin=self.other), "credential_denied", field="credential"
        )
        self.assert_problem(self.fetch("/echo", method="POST"), "credential_denied")
        self.assertEqual(self.other.counters()["paths"].get("/echo", {}).get("requests", 0), 0)

    def test_not_over_another_spelling_of_the_origin_or_port(self):
        heads = []

        def answer(head, number):
            heads.append(head)
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

        with AnsweringUpstream(answer) as upstream:
            url = upstream.url("/")
            response = self.server.fetch(url, credential="mine")
            self.assert_problem(response, "credential_denied")
        self.assertEqual(heads, [])
        # The host is what the URL parser makes of it, however it is written.
        url = f"http://0x7f.1:{self.mine.port}/echo"
        response = self.server.fetch(url, credential="mine")
        self.assertEqual(sent_fields(response)["authorization"], SECRET)

    def test_not_after_a_redirect_to_another_origin(self):
        target = self.other.url("/echo")
        response = self.assert_ok(self.fetch(f"/redirect?to={target}"))
        self.assertNotIn("authorization", sent_fields(response))
        self.assertNotIn("hunter2", response.body.decode())
        response = self.assert_ok(self.fetch("/redirect?to=/echo"))
        self.assertEqual(sent_fields(response)["authorization"], SECRET)

    def test_not_beside_a_header_of_the_callers(self):
        response = self.fetch("/echo", headers={"authorization": "mine"})
        problem = self.assert_problem(response, "invalid_request", field="credential")
        self.assertNotIn("hunter2", json.dumps(problem))

    def test_an_unknown_one(self):
        response = self.fetch("/echo", credential="nobodys")
        self.assert_problem(response, "invalid_request", field="credential")
        response = self.server.post(
            "/v1/batch", {"tasks": [{"url": "http://a/", "credential": "nobodys"}]}
        )
        self.assert_problem(response, "invalid_request", field="tasks[0].credential")

    def test_the_cache_takes_no_part(self):
        seen = []

        def answer(head, number):
            seen.append(head)
            body = b"{\"n\":%d}" % number
            return (b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\n"
                    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(body), body))

        with AnsweringUpstream(answer) as upstream:
            config = self.config.with_name("cache.toml")
            config.write_text(
                f"[credentials.mine]\norigins = ['{upstream.url('')}']\nvalue = '{SECRET}'\n"
            )
            server = self.start({"config": config})
            url = upstream.url("/")
            for n in (1, 2):
                response = server.fetch(url, credential="mine")
                self.assertEqual(response.json(), {"n": n})
                self.assertIn("fwd=bypass", response.header("cache-status"))
            # What went into the cache without it does not answer who uses it, nor the other way.
            self.assertEqual(server.fetch(url).json(), {"n": 3})
            self.assertEqual(server.fetch(url).json(), {"n": 3})
            self.assertEqual(server.fetch(url, credential="mine").json(), {"n": 4})

    def test_nothing_shows_it(self):
        response = self.fetch("/json?records=1", debug=True, envelope=True)
        self.assertNotIn("hunter2", response.body.decode())
        response = self.fetch("/json?records=1", debug=True)
        self.assertNotIn("hunter2", str(response.headers))
        for path in ("/v1/pipelines", "/openapi.json", "/metrics", "/readyz", "/"):
            self.assertNotIn("hunter2", self.server.get(path).body.decode())
        self.assertNotIn("hunter2", json.dumps(self.server.log))
        printed = run_command("print-config", "--config", self.config)
        self.assertEqual(printed.returncode, 0, printed)
        self.assertNotIn("hunter2", printed.stdout)
        # In a comment: as a value it would be sent.
        self.assertIn('\n# value = "(not shown)"\n', printed.stdout)
        copy = self.config.with_name("copy.toml")
        copy.write_text(printed.stdout)
        checked = run_command("check-config", "--config", copy)
        self.assertEqual(checked.returncode, 2, checked)
        self.assertIn("credentials.key.value: expected this or value_file", checked.stderr)
        self.assertNotIn("credentials.mine", checked.stderr)


class Mistakes(unittest.TestCase):
    def test_are_listed_without_the_value(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = pathlib.Path(folder, "fetchmill.toml")
        path.write_text(
            "[credentials.a]\nvalue = \"hunter2\\n\"\nmethods = ['get']\n"
            "[credentials.b]\norigins = ['https://b']\nvalue_file = '/nonexistent'\n"
        )
        result = run_command("serve", "--config", path)
        self.assertEqual(result.returncode, 2, result)
        for part in ("credentials.a.value", "credentials.a.methods", "credentials.a.origins",
                     "credentials.b.value"):
            self.assertIn(part, result.stderr)
        self.assertNotIn("hunter2", result.stderr)


if __name__ == "__main__":
    harness.main()
