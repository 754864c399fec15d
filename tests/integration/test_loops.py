"""server.loops: several loops on one port, and their parent."""

import contextlib
import os
import pathlib
import shutil
import signal
import tempfile
import threading
import time
import unittest

import harness
import processes
from harness import ServerTest, run_command
from processes import eventually
from service_manager import Manager
from upstreams import READ, RawUpstream

LOOPS = 3
SETTINGS = {"server.loops": LOOPS, "workers.count": 1, "workers.region_mb": 64}
# Of one loop: its spawner, a worker and the standby.
BELOW_A_LOOP = 3


def command(pid):
    """Its name; empty when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class LoopsTest(ServerTest):
    def serve(self, settings=None, **how):
        server = self.start({**SETTINGS, **(settings or {})}, **how)
        server.wait_for_log("all loops listen")
        return server

    def loops(self, server):
        """The loops' pids by their numbers, once all of them run."""

        def found():
            names = {command(pid): pid for pid in processes.children(server.pid)}
            return names if sorted(names) == [f"fm-loop-{n}" for n in range(LOOPS)] else None

        names = eventually(found, "all loops run")
        return [names[f"fm-loop-{n}"] for n in range(LOOPS)]

    def below(self, pid, number):
        """The processes below it, once there are so many."""

        def found():
            family = processes.descendants(pid)
            return family if len(family) == number else None

        return eventually(found, "all processes run")

    def used(self, stack, server, number):
        """So many connections that have been answered, and stay open."""
        connections = [stack.enter_context(server.raw(60)) for _ in range(number)]
        for connection in connections:
            connection.send_request("GET", "/livez")
            self.assertEqual(connection.read_response().status, 200)
        return connections

    def assert_no_counter_fell(self, before, after):
        later = {(name, tuple(sorted(labels.items()))): value for name, labels, value in after.series}
        for name, labels, value in before.series:
            if name.startswith("fetchmill_") and name.endswith(("_total", "_count", "_bucket")):
                series = (name, tuple(sorted(labels.items())))
                self.assertGreaterEqual(later.get(series, -1), value, series)


class Serving(LoopsTest):
    settings = SETTINGS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.wait_for_log("all loops listen")

    def test_each_loop_has_workers_of_its_own(self):
        for loop in self.loops(self.server):
            (spawner,) = processes.children(loop)
            eventually(lambda pid=spawner: len(processes.children(pid)) == 2, "its workers run")

    def test_connections_are_spread(self):
        loops = self.loops(self.server)

        def sockets(pid):
            return sum(what.startswith("socket:") for what in processes.descriptors(pid).values())

        def spread():
            """By how many each has grown; nothing when others were closed at the same time."""
            before = [sockets(pid) for pid in loops]
            parent_before = sockets(self.server.pid)
            with contextlib.ExitStack() as stack:
                self.used(stack, self.server, 60)
                grown = [sockets(pid) - count for pid, count in zip(loops, before)]
                self.assertEqual(sockets(self.server.pid), parent_before)
            return sum(grown) == 60 and grown

        grown = eventually(spread, "each connection is in a loop")
        self.assertGreater(min(grown), 0, grown)

    def test_metrics_are_sums(self):
        url = self.origin.url("/json?records=2")
        before = self.server.metrics()
        for _ in range(40):
            self.assert_ok(self.server.fetch(url, ("json.select", {"pointer": "/0/id"})))
        counted = {
            "http_requests_total": {"route": "fetch", "code": "200"},
            "http_request_duration_seconds_count": {"route": "fetch"},
            "fetch_requests_total": {"outcome": "ok"},
            "tasks_total": {"op": "json.select", "outcome": "ok"},
            "task_duration_seconds_count": {"op": "json.select"},
        }

        def grown():
            now = self.server.metrics()
            return {n: now.value(n, **ls) - before.value(n, **ls) for n, ls in counted.items()}

        expected = dict.fromkeys(counted, 40)
        eventually(lambda: grown() == expected, "all loops have counted")
        # Whichever loop is asked.
        for _ in range(20):
            self.assertEqual(grown(), expected)

    def test_gauges_are_sums_of_now(self):
        def workers(state):
            return self.server.metrics().value("workers", state=state)

        eventually(lambda: (workers("idle"), workers("standby")) == (LOOPS, LOOPS), "all told")
        with contextlib.ExitStack() as stack:
            self.used(stack, self.server, 12)
            eventually(
                lambda: self.server.metrics().value("http_connections") == 13, "all are open"
            )
        eventually(lambda: self.server.metrics().value("http_connections") == 1, "they closed")

    def test_an_idle_server_sleeps(self):
        server = self.serve()
        self.assert_ok(server.fetch(self.origin.url("/json"), "hash"))
        family = [server.pid, *processes.descendants(server.pid)]

        def wakings():
            return sum(map(processes.wakings, family))

        def sleeps():
            before = wakings()
            time.sleep(3)
            return wakings() - before <= LOOPS  # each keeps house every ten seconds

        eventually(sleeps, "nothing wakes it", within=20)

    def test_what_is_the_same_for_all_is_no_sum(self):
        metrics = self.server.metrics()
        self.assertEqual(metrics.value("build_info"), 1)
        self.assertEqual(metrics.value("sandbox", part="seccomp"), 1)
        started = metrics.value("config_last_reload_success_timestamp_seconds")
        self.assertLess(abs(started - time.time()), 3600)

    def test_processes_are_told_apart(self):
        series = [s for s in self.server.metrics().series if s[0].startswith("process_")]
        loops = {labels.get("loop") for _, labels, _ in series}
        self.assertEqual(loops, {str(n) for n in range(LOOPS)})
        for name, labels, value in series:
            self.assertGreater(value, 0, (name, labels))

    @unittest.skipUnless(shutil.which("promtool"), "promtool (Debian: prometheus) is not installed")
    def test_promtool_is_silent(self):
        said = harness.promtool_says(self.server.get("/metrics").body)
        self.assertEqual(said, (0, b"", b""))

    def test_the_page_counts_for_all(self):
        page = self.server.get("/").body.decode()
        self.assertRegex(page, rf"Workers ready</th><td>\d of {LOOPS}<")

    def test_readiness(self):
        ready = self.server.get("/readyz").json()
        self.assertEqual(ready["workers"], {"total": 1, "ready": 1})

    def test_log_lines_say_which_loop_speaks(self):
        lines = [entry for entry in self.server.log if entry["message"] == "listening"]
        self.assertEqual(sorted(entry["loop"] for entry in lines), ["0", "1", "2"])

    def test_signals_to_a_loop_are_not_meant_for_it(self):
        loops = self.loops(self.server)
        for loop in loops:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(loop, number)
        for _ in range(10):
            self.assert_ok(self.server.fetch(self.origin.url("/json")))
        self.assertEqual(self.loops(self.server), loops)

    def test_an_address_that_is_taken_is_not_joined(self):
        taken = "%s:%d" % self.server.address
        flags = harness.setting_flags({**harness.DEFAULTS, **SETTINGS, "server.listen": taken})
        result = run_command("serve", *flags)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("in use", result.stderr)


class Admin(LoopsTest):
    def test_the_admin_port_answers_for_all(self):
        server = self.serve({"server.admin_listen": "127.0.0.1:0"})
        address = server.wait_for_log("admin port open")["address"]
        self.assertEqual(
            {e["address"] for e in server.log if e["message"] == "admin port open"}, {address}
        )
        for _ in range(9):
            result = run_command("healthcheck", "--server.admin_listen", address)
            self.assertEqual((result.returncode, result.stderr), (0, ""))


class Deaths(LoopsTest):
    def test_a_loop_that_dies_is_replaced(self):
        server = self.serve()
        url = self.origin.url("/json")
        for _ in range(30):
            self.assert_ok(server.fetch(url, "hash"))
        with contextlib.ExitStack() as stack:
            self.used(stack, server, 30)
            eventually(lambda: server.metrics().value("tasks_total") == 30, "all have counted")
            before = server.metrics()
            loops = self.loops(server)
            below = self.below(loops[1], BELOW_A_LOOP)
            os.kill(loops[1], signal.SIGKILL)
            # The others go on, and what comes to its socket waits for the next.
            for _ in range(30):
                self.assert_ok(server.fetch(url, "hash"))
            entry = server.wait_for_log("a loop has ended")
            self.assertEqual((entry["loop"], entry["how"]), ("1", "signal 9"))
            after = self.loops(server)
            self.assertEqual((after[0], after[2]), (loops[0], loops[2]))
            self.assertNotEqual(after[1], loops[1])
            eventually(lambda: not any(map(processes.alive, below)), "its workers are gone")
            eventually(lambda: server.metrics().value("tasks_total") == 60, "all have counted")
            now = server.metrics()
            self.assert_no_counter_fell(before, now)
            self.assertEqual(now.value("loop_restarts_total", reason="signal"), 1)
            open_before = before.value("http_connections")
            eventually(
                lambda: server.metrics().value("http_connections") < open_before,
                "those that it had are no longer open",
            )
        eventually(lambda: server.metrics().value("http_connections") == 1, "all closed")

    def test_what_waits_in_its_backlog_is_answered_by_the_next(self):
        server = self.serve()
        loop = self.loops(server)[0]
        os.kill(loop, signal.SIGSTOP)
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(server.raw()) for _ in range(40)]
            for connection in connections:
                connection.send_request("GET", "/livez")
            os.kill(loop, signal.SIGKILL)
            for connection in connections:
                self.assertEqual(connection.read_response().status, 200)

    def test_again_and_again(self):
        server = self.serve()
        for n in range(1, 5):
            os.kill(self.loops(server)[2], signal.SIGKILL)
            eventually(
                lambda n=n: server.metrics().value("loop_restarts_total") == n, "it was replaced"
            )
        for _ in range(20):
            self.assert_ok(server.fetch(self.origin.url("/json"), "hash"))

    def test_the_parent_takes_all_along(self):
        server = self.serve()
        family = self.below(server.pid, LOOPS * (1 + BELOW_A_LOOP))
        server.kill()
        eventually(lambda: not any(map(processes.alive, family)), "no process is left behind")

    def test_a_loop_that_cannot_start_is_the_end(self):
        flags = harness.setting_flags(
            {**harness.DEFAULTS, **SETTINGS, "fetch.deny_hosts": "*.1.2.3.4"}
        )
        result = run_command("serve", *flags)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("cannot start", result.stderr)
        self.assertIn("*.1.2.3.4", result.stderr)


class Ending(LoopsTest):
    def setUp(self):
        super().setUp()
        self.may_answer = threading.Event()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"
        self.upstream = self.enterContext(RawUpstream([READ, self.may_answer.wait, answer]))

    def under_way(self, stack, server, number):
        """Requests that are being worked on, in all loops, until `may_answer` is set."""
        connections = self.used(stack, server, number)
        for connection in connections:
            connection.send_request("GET", "/v1/fetch?cache=bypass&url=" + self.upstream.url())
        eventually(
            lambda: server.metrics().value("http_requests_in_flight") >= number, "they are there"
        )
        return connections

    def test_a_drain_loses_nothing(self):
        server = self.serve()
        with contextlib.ExitStack() as stack:
            connections = self.under_way(stack, server, 30)
            server.terminate()
            server.wait_for_log("nobody new gets in")
            self.may_answer.set()
            for connection in connections:
                self.assertEqual(self.assert_ok(connection.read_response()).body, b"whole")
        self.assertEqual(server.wait(), 0)

    def test_signals_to_the_whole_group_are_one(self):
        """As by a terminal or by systemd: no loop takes them for a second one."""
        server = self.serve()
        with contextlib.ExitStack() as stack:
            connections = self.under_way(stack, server, 12)
            for pid in [*processes.descendants(server.pid), server.pid]:
                processes.kill(pid, signal.SIGINT)
            server.wait_for_log("nobody new gets in")
            self.may_answer.set()
            for connection in connections:
                self.assert_ok(connection.read_response())
        self.assertEqual(server.wait(), 0)

    def test_a_second_signal_stops_at_once(self):
        server = self.serve({"server.drain_timeout_ms": 3600000})
        with contextlib.ExitStack() as stack:
            self.under_way(stack, server, 6)
            server.terminate()
            server.wait_for_log("nobody new gets in")
            server.terminate()
            self.assertEqual(server.wait(), 0)

    def test_a_loop_that_stands_still_is_killed_then(self):
        server = self.serve()
        family = processes.descendants(server.pid)
        os.kill(self.loops(server)[0], signal.SIGSTOP)
        server.terminate()
        server.wait_for_log("nobody new gets in")
        server.terminate()
        self.assertEqual(server.wait(), 1)
        eventually(lambda: not any(map(processes.alive, family)), "no process is left behind")


class Reloading(LoopsTest):
    OPEN = "[fetch]\nallow_networks = ['127.0.0.0/8']\n"
    CLOSED = OPEN + "deny_networks = ['127.0.0.1/32']\n"

    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.config = folder / "fetchmill.toml"
        self.config.write_text(self.OPEN)

    def serve_file(self, settings=None, **how):
        file = {"config": self.config, "fetch.allow_networks": None}
        return self.serve({**file, **(settings or {})}, **how)

    def reload(self, server, text, result="ok"):
        def done():
            return server.metrics().value("config_reloads_total", result=result)

        before = done()
        self.config.write_text(text)
        os.kill(server.pid, signal.SIGHUP)
        eventually(lambda: done() == before + LOOPS, "each loop has reloaded")

    def statuses(self, server):
        """Of fetches by whichever loops."""
        url = self.origin.url("/json")
        return {server.fetch(url, cache="bypass").status for _ in range(30)}

    def test_it_reaches_all(self):
        server = self.serve_file()
        self.assertEqual(self.statuses(server), {200})
        self.reload(server, self.CLOSED)
        self.assertEqual(self.statuses(server), {403})
        self.reload(server, "nonsense", result="failed")
        self.assertEqual(self.statuses(server), {403})

    def test_a_loop_that_is_replaced_has_what_was_reloaded(self):
        with Manager(str(self.config.with_name("notify"))) as manager:
            server = self.serve_file(environment=manager.environment)
            manager.message()
            self.reload(server, self.CLOSED)
            while "READY" not in manager.message():
                pass
            # What is wrong by now is not what it starts with.
            self.config.write_text("nonsense")
            for loop in self.loops(server):
                os.kill(loop, signal.SIGKILL)
            self.assertEqual(self.statuses(server), {403})

    def test_another_number_needs_a_restart(self):
        text = self.OPEN + "[server]\nloops = %d\n"
        self.config.write_text(text % LOOPS)
        server = self.serve_file({"server.loops": None})
        self.reload(server, text % (LOOPS + 1))
        entry = server.wait_for_log("settings reloaded")
        self.assertEqual((entry["changed"], entry["need_restart"]), ("nothing", "server.loops"))


class ServiceManagers(LoopsTest):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.manager = self.enterContext(Manager(os.path.join(folder, "notify")))

    def test_it_hears_of_all_as_of_one(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            server = self.serve({"config": file.name}, environment=self.manager.environment)
            ready = self.manager.message()
            self.assertEqual(ready["READY"], "1")
            self.assertEqual(
                ready["STATUS"],
                "%d loops, each serving on %s:%d with 1 workers" % (LOOPS, *server.address),
            )
            os.kill(server.pid, signal.SIGHUP)
            self.assertEqual(self.manager.message()["RELOADING"], "1")
            self.assertEqual(self.manager.message(), ready)
            file.write("nonsense")
            file.flush()
            os.kill(server.pid, signal.SIGHUP)
            self.assertEqual(self.manager.message()["RELOADING"], "1")
            again = self.manager.message()
            self.assertEqual(again["READY"], "1")
            self.assertIn("not reloaded", again["STATUS"])
            server.stop()
            self.assertEqual(self.manager.message()["STOPPING"], "1")
            self.assertTrue(self.manager.is_silent(0.1))

    def test_the_watchdog_is_fed_while_all_turn(self):
        environment = {**self.manager.environment, "WATCHDOG_USEC": "100000"}
        server = self.serve(environment=environment)
        for _ in range(3):
            self.assertEqual(self.manager.message(but="READY"), {"WATCHDOG": "1"})
        loop = self.loops(server)[1]
        os.kill(loop, signal.SIGSTOP)
        eventually(lambda: self.manager.is_silent(0.2), "one that stands still says nothing")
        os.kill(loop, signal.SIGCONT)
        self.assertEqual(self.manager.message(), {"WATCHDOG": "1"})


class One(LoopsTest):
    def test_one_loop_is_the_process_itself(self):
        server = self.start()
        server.whole_family()
        self.assertNotIn("all loops listen", {entry["message"] for entry in server.log})
        self.assertNotIn("loop", server.wait_for_log("listening"))

    def test_commands_have_one(self):
        flags = harness.setting_flags({"fetch.allow_networks": "127.0.0.0/8", **SETTINGS})
        result = run_command("fetch", self.origin.url("/json?records=1"), *flags)
        self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    harness.main()
