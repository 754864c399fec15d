"""What `debug` tells of a fetch: attempts, addresses, TLS."""

import json

import harness
from harness import ServerTest, free_port
from name_server import Answer, NameServer, address
from upstreams import CLOSE, READ, AnsweringUpstream, Certificates, Origin, RawUpstream

SMALL = "/bytes?n=5"


def debug_of(response):
    return json.loads(response.header("fetchmill-debug"))


class Debug(ServerTest):
    def test_only_who_asks_is_told(self):
        url = self.origin.url(SMALL)
        self.assertIsNone(self.server.fetch(url).header("fetchmill-debug"))
        (outcome,) = self.server.batch([{"url": url}]).outcomes
        self.assertNotIn("debug", outcome)

    def test_every_form_of_the_answer_tells(self):
        url = self.origin.url(SMALL)
        (outcome,) = self.server.batch([{"url": url, "debug": True}]).outcomes
        told = {
            "query": debug_of(self.server.get("/v1/fetch", url=url, debug="true")),
            "task": debug_of(self.server.fetch(url, debug=True)),
            "envelope": self.server.fetch(url, debug=True, envelope=True).json()["debug"],
            "batch": outcome["debug"],
        }
        for form, debug in told.items():
            with self.subTest(form):
                (attempt,) = debug["attempts"]
                self.assertEqual(attempt["url"], url)
                self.assertEqual(attempt["status"], 200)
                self.assertEqual(attempt["peer"], "127.0.0.1")
                self.assertGreaterEqual(attempt["took_ms"], attempt["timings_ms"]["ttfb"])
                self.assertNotIn("error", attempt)

    def test_what_the_cache_decided(self):
        def fresh(head, number):
            return b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nCache-Control: max-age=60\r\n\r\nx"

        with AnsweringUpstream(fresh) as upstream:
            for expected, attempts, task in (
                (r"fetchmill; fwd=uri-miss; fwd-status=200; ttl=\d+; stored", 1, {}),
                (r"fetchmill; hit; ttl=\d+", 0, {}),
                (r"fetchmill; fwd=bypass", 1, {"cache": "bypass"}),
            ):
                (outcome,) = self.server.batch(
                    [{"url": upstream.url(), "debug": True, **task}]
                ).outcomes
                self.assertRegex(outcome["debug"]["cache"], f"^{expected}$")
                self.assertEqual(len(outcome["debug"]["attempts"]), attempts)
            response = self.server.fetch(upstream.url(), debug=True)
            self.assertEqual(debug_of(response)["cache"], response.header("cache-status"))

    def test_a_kept_connection_was_not_dialled(self):
        self.server.fetch(self.origin.url(SMALL))
        (attempt,) = debug_of(self.server.fetch(self.origin.url(SMALL), debug=True))["attempts"]
        self.assertTrue(attempt["reused"])
        self.assertNotIn("addresses", attempt)

    def test_every_attempt_and_every_hop(self):
        unavailable = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        with RawUpstream([READ, unavailable, CLOSE]) as upstream:
            hop = self.origin.url("/redirect?to=" + upstream.url())
            response = self.server.fetch(hop, retries=1, debug=True)
        self.assert_problem(response, "upstream_status")
        redirect, first, second = debug_of(response)["attempts"]
        self.assertEqual((redirect["url"], redirect["status"] // 100), (hop, 3))
        for attempt in (first, second):
            self.assertEqual(attempt["url"], upstream.url())
            self.assertEqual((attempt["status"], attempt["error"]), (503, "upstream_status"))
        self.assertIn("wait_ms", first)
        self.assertNotIn("wait_ms", second)
        self.assertLess(redirect["at_ms"], first["at_ms"])
        self.assertGreaterEqual(second["at_ms"], first["at_ms"] + first["wait_ms"])

    def test_an_address_nobody_listens_at(self):
        url = f"http://127.0.0.1:{free_port()}/"
        (attempt,) = debug_of(self.server.fetch(url, retries=0, debug=True))["attempts"]
        self.assertEqual(
            attempt["addresses"],
            [{"address": "127.0.0.1", "verdict": "allowed", "connect": "Connection refused"}],
        )
        self.assertEqual(attempt["error"], "connect_failed")

    def test_a_refused_url_has_no_attempt(self):
        response = self.server.fetch("http://10.0.0.1/", debug=True)
        self.assert_problem(response, "address_denied")
        self.assertEqual(debug_of(response), {"attempts": []})

    def test_the_value_must_be_a_boolean(self):
        url = self.origin.url(SMALL)
        for response in (
            self.server.get("/v1/fetch", url=url, debug="yes"),
            self.server.get("/v1/fetch", url=url, debug="1"),
            self.server.fetch(url, debug="true"),
        ):
            self.assert_problem(response, "invalid_request", field="debug")


class Addresses(ServerTest):
    def test_each_address_of_a_name(self):
        two = Answer(address("two.test", 60, "127.0.0.1", "10.0.0.1"))
        names = self.enterContext(NameServer({"two.test": two}))
        server = self.start({"fetch.dns_servers": names.address})
        response = server.fetch(self.origin.url(SMALL, host="two.test"), debug=True)
        self.assert_problem(response, "address_denied")
        (attempt,) = debug_of(response)["attempts"]
        self.assertCountEqual(
            attempt["addresses"],
            [
                {"address": "127.0.0.1", "verdict": "allowed"},
                {"address": "10.0.0.1", "verdict": "private"},
            ],
        )


class Tls(ServerTest):
    def test_what_was_agreed_on(self):
        certificates = self.enterContext(Certificates())
        origin = self.enterContext(Origin(certificates))
        server = self.start({"fetch.ca_file": certificates.ca_file})
        response = server.fetch(origin.tls_url(SMALL), debug=True)
        (attempt,) = debug_of(response)["attempts"]
        tls = attempt["tls"]
        self.assertEqual((tls["version"], tls["resumed"]), ("TLSv1.3", False))
        self.assertEqual(tls["certificate"]["subject"], "CN=good")
        self.assertEqual(tls["certificate"]["issuer"], "CN=fetchmill test ca")
        self.assertLess(tls["certificate"]["not_before"], tls["certificate"]["not_after"])
        self.assertEqual(attempt["addresses"][0]["connect"], "ok")


if __name__ == "__main__":
    harness.main()
