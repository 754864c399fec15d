"""What each route says of its methods, to whom, and which bodies it does not take."""

import harness
from harness import ServerTest


class Methods(ServerTest):
    def routes(self):
        """Every path of the API and its methods."""
        for path, item in self.server.get("/openapi.json").json()["paths"].items():
            yield path.replace("{code}", "not_found"), set(item)

    def test_options_and_methods_nobody_serves(self):
        for path, methods in self.routes():
            with self.subTest(path):
                names = ["GET", "HEAD"] if "get" in methods else []
                names += ["POST"] if "post" in methods else []
                response = self.server.request("OPTIONS", path)
                self.assertEqual((response.status, response.body), (204, b""))
                self.assertEqual(response.header("allow").split(", "), [*names, "OPTIONS"])
                self.assertIsNone(response.header("content-length"))
                for method in {"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE"} - set(names):
                    refused = self.server.request(method, path)
                    self.assertEqual(refused.status, 405)
                    self.assertEqual(refused.header("allow"), response.header("allow"))
        everywhere = self.server.request("OPTIONS", "*")
        self.assertEqual(everywhere.status, 204)
        self.assertEqual(everywhere.header("allow"), "GET, HEAD, POST, OPTIONS")

    def test_head_is_get_without_a_body(self):
        for path, methods in self.routes():
            if "get" not in methods:
                continue
            with self.subTest(path):
                get, head = [self.server.request(method, path) for method in ("GET", "HEAD")]
                self.assertEqual(head.status, get.status)
                self.assertEqual(head.header("content-type"), get.header("content-type"))
                self.assertIsNotNone(head.header("content-length"))

    def test_options_elsewhere(self):
        self.assert_problem(self.server.request("OPTIONS", "/nowhere"), "not_found")
        elsewhere = {"Origin": "https://evil.example"}
        self.assert_problem(
            self.server.request("OPTIONS", "/v1/fetch", headers=elsewhere), "origin_denied"
        )

    def test_whatever_the_origin_a_cache_is_told_that_it_matters(self):
        server = self.start({"server.cors_origins": ["https://app.example"]})
        for headers in ({}, {"Origin": "https://app.example"}):
            response = server.get("/v1/fetch", headers=headers, url=self.origin.url("/json"))
            self.assertEqual(self.assert_ok(response).header("vary"), "Origin")
        exposed = response.header("access-control-expose-headers").lower().split(", ")
        self.assertLessEqual({"etag", "proxy-status", "cache-status", "age"}, set(exposed))

    def test_bodies_in_a_coding(self):
        for path, media_type in (
            ("/v1/fetch", "application/json"),
            ("/v1/batch", "application/json"),
            ("/v1/batch", "application/x-ndjson"),
            ("/v1/batch", "text/plain"),
        ):
            headers = {"Content-Type": media_type, "Content-Encoding": "gzip"}
            with self.subTest(path=path, media_type=media_type):
                response = self.server.request("POST", path, b"\x1f\x8b", headers)
                self.assert_problem(response, "unsupported_media_type")


if __name__ == "__main__":
    harness.main()
