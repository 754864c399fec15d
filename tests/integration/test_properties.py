"""Whatever a client sends, the answer is one that /openapi.json declares, and no fault of ours."""

import json
import random
import time

import harness
from harness import ERRORS, ServerTest
from json_schema import Schemas
from processes import bound

SEED = 20240117
BUDGET_S = 9

# Errors above 499 that are the upstream's doing, or the caller's own limits'.
OF_OTHERS = {
    "dns_failed", "connect_failed", "tls_failed", "upstream_protocol", "upstream_status",
    "upstream_body_too_large", "too_many_redirects", "upstream_timeout", "circuit_open",
    "not_cached", "deadline_exceeded", "tasks_failed",
}


def pointer(source):
    return source.choice(["", "/0", "/0/id", "/score", "/missing"])


class AnyBody(ServerTest):
    settings = {"fetch.timeout_ms": 1000, "fetch.retries": 1}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        urls = [
            *map(cls.origin.url, ("/json?records=2", "/json?records=1", "/bytes?n=9", "/short")),
            *map(cls.origin.url, ("/status?code=404", "/redirects?n=1", "/etag?tag=a")),
            f"http://127.0.0.1:{harness.free_port()}/", "http://10.0.0.1/", "ftp://a/", "nonsense",
        ]
        special = {
            "url": lambda source: source.choice(urls),
            "timeout_ms": lambda source: source.randint(1, 300),
            "deadline_ms": lambda source: source.randint(50, 400),
            "iterations": lambda source: source.randint(1, 10),
            "method": lambda source: source.choice(["GET", "GET", "GET", "HEAD", "POST"]),
            **{name: pointer for name in ("pointer", "items", "value", "group_by")},
        }
        document = cls.server.get("/openapi.json").json()
        cls.random = random.Random(SEED)
        cls.schemas = Schemas(document, cls.random, special)
        cls.operations = [
            (path, operation, operation["requestBody"]["content"]["application/json"]["schema"])
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if "application/json" in operation.get("requestBody", {}).get("content", {})
        ]

    def check(self, operation, response):
        """The answer is declared, in form and status; gives the code of a problem."""
        declared = operation["responses"].get(str(response.status))
        self.assertIsNotNone(declared, response)
        for name in declared.get("headers", {}):
            self.assertEqual(name, name.strip())
        if response.status == 304:
            return self.assertEqual(response.body, b"")
        kind = response.header("content-type").partition(";")[0]
        content = declared["content"]
        self.assertTrue(kind in content or "*/*" in content, response)
        if kind == "application/problem+json":
            return self.check_document(response.json(), content[kind]["schema"])
        if kind == "application/x-ndjson":
            for line in response.body.splitlines():
                self.check_document(json.loads(line), content[kind]["schema"])
        elif kind == "application/json" and response.status != 200:
            return self.check_document(response.json(), content[kind]["schema"])
        return None

    def check_document(self, document, schema):
        self.assertTrue(self.schemas.valid(document, schema), document)
        error = document.get("error", document)
        code = error.get("code")
        if code is not None:
            self.assertTrue(ERRORS[code][0] < 500 or code in OF_OTHERS, document)
        for outcome in document.get("errors", []):  # of a merge
            inner = outcome["error"]["code"]
            self.assertTrue(ERRORS[inner][0] < 500 or inner in OF_OTHERS, document)
        return code

    def make_likely(self, task):
        """Without what the schema cannot say: of most such bodies nothing would be fetched."""
        for name in [n for n in ("body", "body_base64", "json") if n in task][1:]:
            del task[name]
        if self.random.random() < 0.9 and task.get("method", "GET") not in ("GET", "HEAD"):
            task.pop("if_none_match", None)
            task.pop("if_modified_since", None)

    @staticmethod
    def tasks_of(body):
        """Those that are more than a URL."""
        tasks = body.get("tasks", [])
        tasks = tasks.values() if isinstance(tasks, dict) else tasks
        return [task for task in tasks if isinstance(task, dict)]

    def rounds(self):
        """Bodies for every operation in turn, while there is time."""
        self.assertGreaterEqual(len(self.operations), 2)
        until = time.monotonic() + BUDGET_S / 2
        for number in range(2000):
            if time.monotonic() > until:
                return
            path, operation, schema = self.operations[number % len(self.operations)]
            body = self.schemas.value(schema)
            for task in (body, body.get("defaults", {}), *self.tasks_of(body)):
                self.make_likely(task)
                if path == "/v1/merge":  # which needs every result
                    for name in ("if_none_match", "if_modified_since", "unless_etag"):
                        task.pop(name, None)
            for task in self.tasks_of(body):
                if self.random.random() < 0.9:
                    task.setdefault("url", self.origin.url("/json"))
            for task in (body, *self.tasks_of(body)):
                if "url" in task:
                    task.pop("vars", None)
            if self.schemas.valid(body, schema):
                yield path, operation, schema, body
        self.assertGreater(number, 20)

    def test_valid_bodies(self):
        for path, operation, _, body in self.rounds():
            with self.subTest(path=path, body=body):
                code = self.check(operation, self.server.post(path, body))
                self.assertNotIn(code, ("unknown_field", "unknown_op", "unsupported_media_type"))

    def test_one_fault(self):
        for path, operation, schema, body in self.rounds():
            faulty = self.schemas.faulty(body, schema)
            if faulty is None:
                continue
            with self.subTest(path=path, body=faulty):
                response = self.server.post(path, faulty)
                self.check(operation, response)
                self.assertEqual(response.status, 400, response)

    def test_no_json_at_all(self):
        started = time.monotonic()
        for path, operation, schema in self.operations:
            text = json.dumps(self.schemas.value(schema)).encode()
            for at in self.random.sample(range(len(text)), min(len(text), 20)):
                for body in (text[:at], text[:at] + b"\xff" + text[at:], text[:at] + b"\0"):
                    with self.subTest(path=path, body=body):
                        response = self.server.post(path, body)
                        self.check(operation, response)
                        self.assertEqual(response.status, 400, response)
        self.assertLess(time.monotonic() - started, bound(20))


if __name__ == "__main__":
    harness.main()
