"""server.admin_listen: health and metrics on a port of their own, whatever becomes of the other."""

import contextlib
import json
import unittest

import harness
from harness import ServerTest, run_command
from processes import SANITIZED, eventually

ROUTES = ("/livez", "/healthz", "/readyz", "/metrics")


class Admin(ServerTest):
    settings = {"server.admin_listen": "127.0.0.1:0"}

    def admin(self, server, method, target, headers=None):
        with server.raw_admin() as connection:
            connection.send_request(method, target, headers=headers)
            return connection.read_response(to_head=method == "HEAD")

    def test_health_and_metrics_and_nothing_else(self):
        for path in ROUTES:
            for method in ("GET", "HEAD"):
                self.assert_ok(self.admin(self.server, method, path))
        for path in ("/", "/v1/fetch?url=http://127.0.0.1/", "/v1/ops", "/openapi.json"):
            self.assert_problem(self.admin(self.server, "GET", path), "not_found")

    def test_the_other_port_has_them_too(self):
        for path in ROUTES:
            self.assert_ok(self.server.get(path))

    def test_web_pages_gain_nothing(self):
        for headers, code in (
            ({"Host": "rebound.example"}, "misdirected_request"),
            ({"Origin": "https://other.example"}, "origin_denied"),
        ):
            self.assert_problem(self.admin(self.server, "GET", "/metrics", headers), code)

    def test_connections_are_counted_together(self):
        with self.server.raw() as one, self.server.raw_admin() as two:
            for connection in (one, two):
                connection.send_request("GET", "/livez")
                connection.read_response()
            eventually(
                lambda: self.server.metrics().value("http_connections") == 3, "three are open"
            )

    def test_an_address_that_is_taken(self):
        taken = "%s:%d" % self.server.address
        result = run_command("serve", "--server.listen", "127.0.0.1:0", "--server.admin_listen", taken)
        self.assertEqual(result.returncode, 1, result.stderr)
        entry = json.loads(result.stderr.splitlines()[-1])
        self.assertEqual(entry["field"], "server.admin_listen")
        self.assertIn("in use", entry["detail"])

    def test_the_address_of_the_server_itself(self):
        address = "127.0.0.1:%d" % harness.free_port()
        for command in ("serve", "check-config"):
            result = run_command(
                command, "--server.listen", address, "--server.admin_listen", address
            )
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(f"server.admin_listen = {address}: expected another port", result.stderr)

    def test_the_health_check_asks_there(self):
        address = "%s:%d" % self.server.admin_address()
        result = run_command(
            "healthcheck",
            *("--server.listen", "127.0.0.1:1"),
            *("--server.admin_listen", address, "--server.hosts", "api.example"),
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_it_tells_of_a_drain(self):
        server = self.start({"server.drain_delay_ms": 600000, **self.settings})
        with server.raw() as used:
            server.terminate()
            server.wait_for_log("draining")
            self.assertEqual(self.admin(server, "GET", "/readyz").json()["status"], "draining")
            self.assert_ok(self.admin(server, "GET", "/livez"))
            used.send_request("GET", "/livez")
            used.read_response()
        server.terminate()
        self.assertEqual(server.wait(), 0)


@unittest.skipIf(SANITIZED, "the sanitizer needs a descriptor of its own")
class Exhaustion(ServerTest):
    """No descriptor is left: not for a connection, and not to read /proc for /metrics."""

    open_files = 120

    def exhausted(self, stack):
        limit = f"--nofile={self.open_files}:{self.open_files}"
        server = self.start(
            {"server.admin_listen": "127.0.0.1:0", "server.head_timeout_ms": 600000},
            prefix=["prlimit", limit],
        )
        for _ in range(self.open_files):
            stack.enter_context(server.raw())
        server.wait_for_log("accepting pauses")
        self.assertEqual(server.descriptor_count(), self.open_files)
        return server

    def test_it_is_answered_without_a_free_descriptor(self):
        with contextlib.ExitStack() as stack:
            server = self.exhausted(stack)
            for _ in range(3):
                for path in ROUTES:
                    with server.raw_admin() as connection:
                        connection.send_request("GET", path)
                        self.assert_ok(connection.read_response())
                        self.assertEqual(server.descriptor_count(), self.open_files)

    def test_metrics_are_whole(self):
        with contextlib.ExitStack() as stack:
            server = self.exhausted(stack)
            with server.raw_admin() as connection:
                connection.send_request("GET", "/metrics")
                metrics = harness.Metrics(connection.read_response().body.decode())
            process = {name: value for name, labels, value in metrics.series if not labels}
            self.assertEqual(process["process_max_fds"], self.open_files)
            self.assertGreaterEqual(process["process_open_fds"], self.open_files - 2)
            self.assertGreater(process["process_resident_memory_bytes"], 0)

    def test_more_than_it_has_room_for(self):
        """Connections that are done with make room; the next one is served."""
        with contextlib.ExitStack() as stack:
            server = self.exhausted(stack)
            for _ in range(50):
                connection = stack.enter_context(server.raw_admin())
                connection.send_request("GET", "/livez")
                self.assert_ok(connection.read_response())

    def test_the_other_port_recovers(self):
        with contextlib.ExitStack() as stack:
            server = self.exhausted(stack)
        self.assert_ok(server.get("/livez"))


if __name__ == "__main__":
    harness.main()
