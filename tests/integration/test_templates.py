"""The url of a batch's defaults as a template, filled from each task's vars."""

import json

import harness
from harness import Batch, ServerTest


class Templates(ServerTest):
    def test_a_document(self):
        defaults = {"url": self.origin.url("/text?text={word}&type={type}")}
        tasks = [
            {"vars": {"word": "a&b=c/ü", "type": "text/plain"}},
            {"vars": {"word": 1.5, "type": "text/plain"}},
            {"vars": {"word": "x"}, "id": "gap", "meta": 1},
            {"url": self.origin.url("/bytes?n=1")},
        ]
        batch = self.server.batch(tasks, defaults=defaults, order="input")
        first, second, gap, own = batch.outcomes
        self.assertEqual((first["text"], second["text"], own["text"]), ("a&b=c/ü", "1.5", "0"))
        self.assertIn("text=a%26b%3Dc%2F%C3%BC&type=text%2Fplain", first["url"])
        self.assertEqual((gap["type"], gap["id"], gap["meta"]), ("error", "gap", 1))
        self.assertEqual(gap["error"]["code"], "invalid_request")
        self.assertEqual(gap["error"]["field"], "vars.type")
        self.assertIn("type", gap["error"]["detail"])

    def test_a_value_cannot_leave_its_place(self):
        defaults = {"url": self.origin.url("/echo?a={a}")}
        hostile = "x&b=1#f/../..\\@evil.example\r\nX: y %2e{a}"
        (outcome,) = self.server.batch([{"vars": {"a": hostile}}], defaults=defaults).outcomes
        self.assertEqual(outcome["type"], "result")
        self.assertTrue(outcome["url"].startswith(self.origin.url("/echo?a=x%26b%3D1%23f%2F..")))
        host = {"url": "http://{host}/"}
        (outcome,) = self.server.batch([{"vars": {"host": "a.example/@b"}}], defaults=host).outcomes
        self.assertEqual(outcome["type"], "error")

    def test_a_bad_template(self):
        for url in ("http://a/{", "http://a/{x,y}", "http://a/{+x}", "http://a/}"):
            with self.subTest(url):
                response = self.server.post("/v1/batch", {"tasks": [], "defaults": {"url": url}})
                self.assert_problem(response, "invalid_request", field="defaults.url")

    def test_lines(self):
        query = "?order=input&url=" + self.origin.url("/bytes?n=%7Bn%7D").replace("?", "%3F")
        lines = [{"vars": {"n": 3}}, {"id": "b", "meta": {"k": 1}}]
        lines += [{"vars": {"n": 2}, "retries": -1}]
        body = b"\n".join(json.dumps(line).encode() for line in lines)
        headers = {"Content-Type": "application/x-ndjson"}
        batch = Batch(self.server.request("POST", "/v1/batch" + query, body, headers))
        three, gap, bad = batch.outcomes
        self.assertEqual(three["text"], "012")
        self.assertEqual((gap["line"], gap["id"], gap["meta"]), (2, "b", {"k": 1}))
        self.assertEqual(gap["error"]["field"], "vars.n")
        self.assertEqual((bad["line"], bad["error"]["field"]), (3, "retries"))


if __name__ == "__main__":
    harness.main()
