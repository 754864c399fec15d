"""fetchmill fetch: one task without a server."""

import json
import pathlib
import unittest
import urllib.parse

import commands
import harness
from commands import Running, fetch
from processes import eventually
from upstreams import Origin


class FetchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.origin = cls.enterClassContext(Origin())

    def setUp(self):
        self.origin.wait_for_rest()

    def fetch_text(self, target, *arguments):
        result = fetch(self.origin.url(target), *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        return result.stdout

    def assert_fails(self, result, code, exit_code=1):
        """Nothing on standard output, a sentence and the code on standard error."""
        self.assertEqual((result.returncode, result.stdout), (exit_code, ""), result)
        self.assertTrue(result.stderr.startswith("fetchmill"), result.stderr)
        self.assertTrue(result.stderr.endswith(f"({code})\n"), result.stderr)


class Results(FetchTest):
    def test_the_body_as_it_is(self):
        self.assertEqual(self.fetch_text("/bytes?n=5"), "01234")
        self.assertEqual(
            len(self.fetch_text("/bytes?n=3000000")), 3000000, "more than a pipe takes at once"
        )

    def test_an_op_with_parameters(self):
        options = ["--op", "json.select", "--pointer", "/1/name"]
        self.assertEqual(self.fetch_text("/json?records=3", *options), '"record 1"')
        options += ["--pointer=/0/lang", "--validate", "true"]
        self.assertEqual(self.fetch_text("/json?records=3", *options), '["record 1","en"]')

    def test_a_pipeline(self):
        steps = json.dumps([{"op": "json.select", "pointer": "/0/name"}, {"op": "hash"}])
        path = pathlib.Path(commands.temporary_folder(self), "steps")
        path.write_text(steps)
        given = self.fetch_text("/json", "--pipeline", steps)
        self.assertEqual(len(given), 64)
        self.assertEqual(self.fetch_text("/json", "--pipeline", path), given)

    def test_a_request_of_ones_own(self):
        def echoed(*options):
            return json.loads(self.fetch_text("/echo", *options))

        seen = echoed("-X", "PUT", "-H", "X-One: 1", "-d", "body", "--header", "X-Two: a: b")
        self.assertEqual(seen["method"], "PUT")
        for header in (["X-One", "1"], ["X-Two", "a: b"], ["Content-Length", "4"]):
            self.assertIn(header, seen["headers"])
        seen = echoed("--json", '{"a": 1}')
        self.assertEqual(seen["method"], "POST")
        self.assertIn(["Content-Type", "application/json"], seen["headers"])
        self.assertEqual(echoed("--json", "[1.10, 1e400]")["body"], "[1.10,1e400]")

    def test_with_its_head(self):
        head, _, body = self.fetch_text("/bytes?n=3", "-i").partition("\n\n")
        self.assertEqual(body, "012")
        self.assertTrue(head.startswith("HTTP/1.1 200\nContent-Type: text/plain\n"), head)
        self.assertIn("\nFetchmill-Upstream-Status: 200", head)

    def test_as_an_outcome(self):
        outcome = json.loads(self.fetch_text("/json?records=1", "--envelope", "--debug"))
        self.assertEqual((outcome["type"], len(outcome["result"])), ("result", 1))
        self.assertEqual(len(outcome["debug"]["attempts"]), 1)
        failed = fetch(self.origin.url("/status?code=404"), "--envelope")
        self.assertEqual(failed.returncode, 1)
        self.assertEqual(json.loads(failed.stdout)["error"]["code"], "upstream_status")

    def test_what_an_outcome_repeats_of_the_answer(self):
        names = ["--include-headers", "content-type", "--include-headers", "x-missing"]
        outcome = json.loads(self.fetch_text("/json?records=1", "--envelope", *names))
        self.assertEqual(outcome["upstream"]["headers"], {"content-type": "application/json"})

    def test_a_body_from_standard_input(self):
        with Running("fetch", self.origin.url("/echo"), "-d", "@-") as running:
            out, _ = running.child.communicate(b"piped")
        seen = json.loads(out)
        self.assertEqual((seen["method"], seen["body"]), ("POST", "piped"))

    def test_controls_in_an_outcome_are_escaped_on_a_terminal(self):
        url = self.origin.url("/text?text=%7F%C2%9B2J")
        _, line, _ = commands.on_a_terminal("fetch", url, "--envelope")
        self.assertIn(rb'"\u007f\u009b2J"', line)
        self.assertIn('"\x7f\x9b2J"', fetch(url, "--envelope").stdout)

    def test_a_terminal_gets_plain_text_only(self):
        plain = self.origin.url("/text?text=a%09%C3%BC%0A")
        self.assertEqual(commands.on_a_terminal("fetch", plain), (0, b"a\t\xc3\xbc\r\n", ""))
        for binary in ("%00", "%1B%5B2J", "%C2%9B2J", "%08", "%FF"):
            with self.subTest(binary):
                url = self.origin.url("/text?text=a" + binary)
                for options in ([], ["-i"]):
                    code, shown, err = commands.on_a_terminal("fetch", url, *options)
                    self.assertEqual((code, shown), (1, b""))
                    self.assertIn("standard output is a terminal", err)
                    self.assertIn("> FILE", err)
                with Running("fetch", url) as running:
                    body, _ = running.child.communicate()
                self.assertEqual(body, urllib.parse.unquote_to_bytes("a" + binary))

    def test_settings_as_for_the_server(self):
        path = pathlib.Path(commands.temporary_folder(self), "f.toml")
        path.write_text("[fetch]\nmax_bytes = 1024\n")
        result = fetch(self.origin.url("/bytes?n=2000"), "--config", path)
        self.assert_fails(result, "upstream_body_too_large")
        variable = {"FETCHMILL_FETCH_MAX_BYTES": "1024"}
        result = fetch(self.origin.url("/bytes?n=2000"), environment=variable)
        self.assert_fails(result, "upstream_body_too_large")


class Failures(FetchTest):
    def test_of_the_fetch_and_of_the_op(self):
        cases = [
            (["/status?code=500", "--retries", "0"], "upstream_status"),
            (["/hang", "--timeout-ms", "50"], "upstream_timeout"),
            (["/text?text=x", "--op", "json.select", "--pointer", "/a"], "processing_failed"),
            (["/bytes?n=100", "--max-bytes", "10"], "upstream_body_too_large"),
        ]
        for (target, *options), code in cases:
            with self.subTest(code):
                self.assert_fails(fetch(self.origin.url(target), *options), code)

    def test_addresses_are_judged(self):
        result = harness.run_command("fetch", self.origin.url("/json"))
        self.assert_fails(result, "address_denied")
        self.assertIn("--fetch.allow_networks", result.stderr, "what to do about it")

    def test_no_url_is_a_mistake_in_usage(self):
        self.assert_fails(fetch("nonsense"), "invalid_request", exit_code=2)

    def test_mistakes_in_usage_start_nothing(self):
        cases = [
            (["--op", "hsah"], "--op: there is no op 'hsah'; did you mean hash?"),
            (["--pointer", "/a"], "--pointer: there is no such option"),
            (["--pipeline", "/nonexistent"], "--pipeline: the file '/nonexistent'"),
            (["--header", "x"], "--header: expected 'NAME: VALUE'"),
            (["--timeout-ms", "0"], "--timeout-ms: expected a whole number"),
            (["--retries", "3"], "--retries: expected a whole number from 0 to 2, which is fetch.retries"),
            (["--debug"], "--debug: it is told in the head (--include) or in the outcome (--envelope)"),
            (["--include-headers", "ETag"], "--include-headers: they are told in the outcome"),
            (["--fetch.timeout_ms", "0"], "--fetch.timeout_ms: fetch.timeout_ms = 0"),
            (["http://second/"], "unexpected argument 'http://second/'"),
        ]
        self.origin.reset_counters()
        for options, message in cases:
            with self.subTest(message):
                result = fetch(self.origin.url("/json"), *options)
                self.assertEqual((result.returncode, result.stdout), (2, ""), result)
                self.assertIn(message, result.stderr)
        self.assertEqual(self.origin.counters()["requests"]["total"], 0)

    def test_what_keeps_it_from_starting(self):
        result = fetch("http://a/", "--fetch.ca_file", "/nonexistent")
        self.assertEqual((result.returncode, result.stdout), (1, ""), result)
        self.assertRegex(result.stderr, r"^fetchmill: cannot start: fetch.ca_file: .*/nonexistent")

    def test_output_that_nobody_takes(self):
        with Running("fetch", self.origin.url("/bytes?n=3000000")) as running:
            running.child.stdout.read(1)
            running.child.stdout.close()
            running.child.stdout = None
            self.assertEqual(running.end(), (1, [], ""))
        with open("/dev/full", "wb") as full:
            with Running("fetch", self.origin.url("/json"), stdout=full) as running:
                code, _, err = running.end()
        self.assertEqual(code, 1)
        self.assertIn("cannot write the result: No space left", err)

    def test_ctrl_c(self):
        with Running("fetch", self.origin.url("/hang")) as running:
            eventually(lambda: self.origin.open_requests() == 1, "it is under way")
            running.interrupt()
            code, _, err = running.end()
        self.assertEqual(code, 1)
        self.assertTrue(err.endswith("(cancelled)\n"), err)


if __name__ == "__main__":
    harness.main()
