"""What the server says about itself agrees with what it does."""

import json
import re
import urllib.parse

import harness
from harness import ERRORS, ServerTest, run_command

ROUTES = {
    "/v1/fetch": {"get", "post"},
    "/v1/batch": {"post"},
    "/v1/merge": {"post"},
    "/v1/process": {"post"},
    "/v1/ops": {"get"},
    "/v1/pipelines": {"get"},
    "/metrics": {"get"},
    "/livez": {"get"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/openapi.json": {"get"},
    "/errors/{code}": {"get"},
}

# The statuses clients rely on, by code.
STATUSES = {
    "invalid_request": 400, "unknown_op": 400, "unknown_field": 400, "unauthorized": 401,
    "address_denied": 403, "url_denied": 403, "origin_denied": 403, "pipeline_denied": 403,
    "credential_denied": 403, "not_found": 404,
    "method_not_allowed": 405, "not_acceptable": 406, "request_timeout": 408,
    "payload_too_large": 413, "unsupported_media_type": 415, "misdirected_request": 421,
    "processing_failed": 422, "result_too_large": 422, "poisoned_input": 422, "overloaded": 429,
    "rate_limited": 429, "cancelled": 499, "worker_crashed": 500, "worker_out_of_memory": 500,
    "internal_error": 500, "dns_failed": 502, "connect_failed": 502, "tls_failed": 502,
    "tasks_failed": 502,
    "upstream_protocol": 502, "upstream_status": 502, "upstream_body_too_large": 502,
    "too_many_redirects": 502, "draining": 503, "circuit_open": 503, "upstream_timeout": 504,
    "not_cached": 504, "processing_timeout": 504, "deadline_exceeded": 504,
}


def examples_of(node):
    """What a parameter or a media type holds up as an example."""
    yield from [node["example"]] if "example" in node else []
    yield from [example["value"] for example in node.get("examples", {}).values()]


def example_requests(document):
    """(path, media type, body, what is declared) of every example of a request."""
    for path, item in document["paths"].items():
        if operation := item.get("post"):
            query = [
                (parameter["name"], example)
                for parameter in operation.get("parameters", [])
                for example in examples_of(parameter)
            ]
            target = path + ("?" + urllib.parse.urlencode(query) if query else "")
            for kind, content in operation["requestBody"]["content"].items():
                for body in examples_of(content):
                    yield target, kind, body, operation["responses"]
    post = document["paths"]["/v1/fetch"]["post"]["responses"]
    fields = document["components"]["schemas"]["TaskFields"]["properties"]
    for name, schema in fields.items():
        for value in schema.get("examples", []):
            task = {"url": "https://example.com/json", name: value}
            yield "/v1/fetch", "application/json", task, post


class Documents(ServerTest):
    def openapi(self):
        response = self.assert_ok(self.server.get("/openapi.json"))
        self.assertEqual(response.header("content-type"), "application/json")
        return response.json()

    def test_every_route_stands_in_openapi(self):
        document = self.openapi()
        self.assertRegex(document["openapi"], r"^3\.1\.\d+$")
        paths = {
            path.replace("{CODE}", "{code}"): set(item) for path, item in document["paths"].items()
        }
        for path, methods in ROUTES.items():
            with self.subTest(path):
                self.assertIn(path, paths)
                self.assertLessEqual(methods, paths[path])

    def test_every_example_of_a_request(self):
        sent = 0
        for target, kind, body, declared in example_requests(self.openapi()):
            with self.subTest(target=target, body=body):
                text = body if isinstance(body, str) else json.dumps(body)
                # No test asks the internet.
                elsewhere = r"https?://[\w.]*example(\.\w+)?(?=[/\"\s]|$)"
                text = re.sub(elsewhere, self.origin.url(""), text)
                response = self.server.request(
                    "POST", target, text.encode(), {"Content-Type": kind}
                )
                self.assertIn(str(response.status), declared, response)
                self.assertNotEqual(response.status, 400, response)
                sent += 1
        self.assertGreaterEqual(sent, 3)

    def test_every_reference_in_openapi_resolves(self):
        document = self.openapi()

        def references(node):
            if isinstance(node, dict):
                if isinstance(node.get("$ref"), str):
                    yield node["$ref"]
                for value in node.values():
                    yield from references(value)
            elif isinstance(node, list):
                for value in node:
                    yield from references(value)

        for reference in set(references(document)):
            with self.subTest(reference):
                self.assertTrue(reference.startswith("#/"), reference)
                node = document
                for part in reference[2:].split("/"):
                    node = node[part]

    def test_every_route_in_openapi_is_served(self):
        for path, item in self.openapi()["paths"].items():
            target = path.replace("{code}", "not_found").replace("{CODE}", "not_found")
            for method in set(item) & {"get", "post"}:
                with self.subTest(path=path, method=method):
                    body = b"" if method == "post" else None
                    status = self.server.request(method.upper(), target, body).status
                    self.assertNotIn(status, (404, 405, 500, 501))

    def test_schemas_and_server_agree_about_characters(self):
        fields = self.openapi()["components"]["schemas"]["TaskFields"]["properties"]
        pattern = fields["headers"]["additionalProperties"]["pattern"]
        url = self.origin.url("/json")
        for value in ("", "x", "a b\tc", "\U0001f642", "\u00e9", " x", "x\t", "a\x01b", "\x7f"):
            with self.subTest(value=value):
                response = self.server.fetch(url, headers={"X-Any": value})
                self.assertEqual(bool(re.search(pattern, value)), response.status == 200, response)
        longest = fields["id"]["maxLength"]
        for length, status in ((longest, 200), (longest + 1, 400)):
            response = self.server.fetch(url, id="\u00e9" * length)
            self.assertEqual(response.status, status)
        most = fields["include_headers"]["maxItems"]
        for count, status in ((most, 200), (most + 1, 400)):
            response = self.server.fetch(url, include_headers=["etag"] * count)
            self.assertEqual(response.status, status)

    def test_the_list_of_errors_is_what_openapi_says(self):
        responses = self.openapi()["paths"]["/errors"]["get"]["responses"]
        schema = responses["200"]["content"]["application/json"]["schema"]
        listed = self.assert_ok(self.server.get("/errors")).json()
        self.assertEqual(set(listed), set(schema["required"]))
        self.assertEqual([error["code"] for error in listed["errors"]], list(ERRORS))

    def test_readiness_is_what_openapi_says(self):
        responses = self.openapi()["paths"]["/readyz"]["get"]["responses"]
        schema = responses["200"]["content"]["application/json"]["schema"]
        kinds = {"object": dict, "string": str, "integer": int, "boolean": bool}

        def check(value, schema, where):
            with self.subTest(where):
                self.assertIs(type(value), kinds[schema["type"]])
                self.assertIn(value, schema.get("enum", [value]))
            if schema["type"] == "object":
                self.assertEqual(set(value), set(schema["properties"]), where)
                self.assertEqual(set(value), set(schema["required"]), where)
                for key, part in schema["properties"].items():
                    check(value[key], part, f"{where}.{key}")

        check(self.server.get("/readyz").json(), schema, "readyz")

    def test_the_error_catalogue(self):
        self.assertEqual({code: status for code, (status, _) in ERRORS.items()}, STATUSES)
        for code in ERRORS:
            with self.subTest(code):
                response = self.assert_ok(self.server.get(f"/errors/{code}"))
                self.assertIn(code, response.body.decode())

    def test_a_problems_type_can_be_followed(self):
        problem = self.server.fetch("http://10.0.0.1/").json()
        self.assert_ok(self.server.get(problem["type"]))

    def test_ops_agree_everywhere(self):
        ops = self.assert_ok(self.server.get("/v1/ops")).json()["ops"]
        names = [op["name"] for op in ops]
        self.assertEqual(len(names), len(set(names)))
        first = {"identity", "json.select", "json.aggregate", "json.validate", "hash", "cpu.loop"}
        self.assertLessEqual(first, set(names))
        listed = run_command("ops").stdout
        for name in names:
            self.assertIn(name, listed)
        for op in ops:
            with self.subTest(op["name"]):
                self.assertTrue(op["summary"])
                self.assertEqual(op["parameters"]["type"], "object")
                self.assertIs(op["parameters"]["additionalProperties"], False)
                self.assertIn("input", op)
                self.assertIn("output", op)

    def test_op_parameters_never_share_a_task_fields_name(self):
        task_fields = {"url", "method", "headers", "body", "body_base64", "json", "pipeline", "id",
                       "meta", "timeout_ms", "max_bytes", "max_result_bytes", "accept_status",
                       "max_redirects", "retries", "cache", "debug", "envelope", "op",
                       "include_headers", "if_none_match", "if_modified_since", "unless_etag",
                       "vars", "credential"}
        for op in self.server.get("/v1/ops").json()["ops"]:
            with self.subTest(op["name"]):
                self.assertFalse(task_fields & set(op["parameters"].get("properties", {})))

    def test_the_front_page_points_on(self):
        page = self.assert_ok(self.server.get("/")).body.decode()
        for target in ("/v1/ops", "/openapi.json"):
            self.assertIn(target, page)


if __name__ == "__main__":
    harness.main()
