"""Deaths of every process, at every moment: what callers see, and what is left behind."""

import concurrent.futures
import json
import os
import signal
import socket
import threading
import time

import harness
import processes
from harness import ServerTest
from processes import alive, bound, eventually
from upstreams import READ, AnsweringUpstream, RawUpstream

# A few milliseconds of work a task: long enough to be hit, short enough for hundreds.
ITERATIONS = 3_000_000
WORK = [{"op": "cpu.loop", "iterations": ITERATIONS}]


def loop_result(iterations, size):
    """What cpu.loop answers for a body of `size` bytes."""
    return size * (iterations * (iterations - 1) // 2)


class FaultTest(ServerTest):
    testing = True

    def stream_batch(self, server, tasks):
        """Sends a batch; yields its outcomes as they arrive, then the summary."""
        with server.raw(timeout=60) as client:
            body = json.dumps({"tasks": tasks, "concurrency": 16}).encode()
            client.send_request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
            self.assertIn(b" 200 ", client.read_until(b"\r\n"))
            client.read_until(b"\r\n\r\n")
            unfinished = b""
            while chunk := client.read_chunk():
                *lines, unfinished = (unfinished + chunk).split(b"\n")
                yield from map(json.loads, lines)

    def assert_serves(self, server, workers=2):
        response = server.fetch(self.origin.url("/json?records=1"), "json.validate")
        self.assertEqual(response.status, 200, response)
        eventually(lambda: len(server.workers()) == workers + 1, "all workers and the standby run")


class KilledWorkers(FaultTest):
    def run_under_fire(self, server, shots):
        """A batch of work; after each 40 outcomes the next shot is fired. No caller may notice."""
        tasks = [{"url": self.origin.url("/bytes?n=100"), "pipeline": WORK}] * 400
        shots, outcomes = iter(shots), []

        def run_meanwhile():
            return server.metrics().value("tasks_total", op="cpu.loop")

        ended = 0
        for outcome in self.stream_batch(server, tasks):
            outcomes.append(outcome)
            if len(outcomes) % 40 == 0 and len(outcomes) < 360:
                # Outcomes may be read in one go: no task shall be hit by one shot after the other.
                due = min(ended + 20, 400)
                eventually(lambda due=due: run_meanwhile() >= due, "those that were hit are done")
                for pid in next(shots, lambda: ())():
                    processes.kill(pid)
                ended = run_meanwhile()
        *outcomes, summary = outcomes
        self.assertEqual(summary["ok"], 400, [o for o in outcomes if o["type"] != "result"][:3])
        self.assertEqual({o["result"] for o in outcomes}, {loop_result(ITERATIONS, 100)})
        self.assertEqual({o["index"] for o in outcomes}, set(range(400)))

    def test_each_worker_during_work(self):
        server = self.start()
        before = server.workers()
        self.run_under_fire(server, [lambda pid=pid: [pid] for pid in before])
        eventually(lambda: not set(before) & set(server.workers()), "all of them are gone")
        self.assert_serves(server)
        self.assert_restarts(server)

    def assert_restarts(self, server):
        eventually(
            lambda: server.metrics().value("worker_restarts_total") >= 2, "the deaths are counted"
        )

    def test_all_workers_at_once(self):
        server = self.start()
        self.run_under_fire(server, [server.workers])
        self.assert_serves(server)
        self.assert_restarts(server)

    def test_all_workers_again_and_again(self):
        server = self.start()
        self.run_under_fire(server, [server.workers] * 5)
        self.assert_serves(server)

    def test_idle_workers(self):
        server = self.start()
        for pid in server.workers():
            processes.kill(pid)
        for _ in range(10):
            self.assert_serves(server)

    def test_a_stop_signal_ends_no_worker_however_young(self):
        # A terminal's Ctrl-C goes to all processes of the group, those just forked among them.
        server = self.start({"workers.recycle_after_tasks": 1})
        newborns = f"/proc/{server.spawner()}/task/{server.spawner()}/children"
        done = threading.Event()

        def signal_all():
            while not done.is_set():
                with open(newborns, encoding="ascii") as pids:
                    for pid in pids.read().split():
                        processes.kill(int(pid), signal.SIGINT)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            signals = pool.submit(signal_all)
            try:
                self.run_under_fire(server, [])
            finally:
                done.set()
            signals.result()
        self.assertEqual([entry for entry in server.log if entry.get("message") == "worker ended"], [])

    def test_a_single_fetch(self):
        # Long enough to be found at work: the worker that has used CPU time is the one to kill.
        long = {"workers.task_timeout_ms": 120_000, "workers.task_cpu_ms": 120_000}
        server = self.start({"workers.count": 1, **long})
        step = ("cpu.loop", {"iterations": 600_000_000})

        def at_work():
            return [pid for pid in server.workers() if processes.cpu_seconds(pid) > 0.1]

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(server.fetch, self.origin.url("/bytes?n=1"), step)
            # Where a start takes so much too, the others' is not more.
            victim = max(eventually(at_work, "the task runs"), key=processes.cpu_seconds)
            processes.kill(victim)
            response = call.result()
        self.assertEqual(response.status, 200, response)
        self.assertEqual(response.json(), loop_result(600_000_000, 1))

    def test_the_death_is_logged(self):
        server = self.start()
        processes.kill(server.workers()[0])
        eventually(lambda: any("signal" in entry.get("ending", "") for entry in server.log), "an obituary")


class CrashingOps(FaultTest):
    def test_every_way_to_crash(self):
        for how in ("segv", "abort", "exit", "terminate", "overflow"):
            with self.subTest(how=how):
                server = self.start()
                response = server.fetch(self.origin.url("/json"), ("crash", {"how": how}))
                self.assert_problem(response, "worker_crashed", stage="process")
                self.assert_serves(server)

    def test_an_input_that_crashes_is_tried_thrice_and_then_refused(self):
        server = self.start()
        crash = ("crash", {"how": "segv"})
        server.fetch(self.origin.url("/json"), crash)
        eventually(lambda: server.metrics().value("poisoned_inputs") == 1, "it is refused")
        for _ in range(5):
            response = server.fetch(self.origin.url("/json"), crash)
            self.assert_problem(response, "poisoned_input", stage="process")
        eventually(
            lambda: server.metrics().value("worker_restarts_total") == 3, "three have ended"
        )
        self.assert_serves(server)

    def test_neighbours_of_a_crash_are_not_harmed(self):
        server = self.start({"workers.poison_ms": 0})
        good = {"url": self.origin.url("/bytes?n=100"), "pipeline": WORK}
        bad = {"url": self.origin.url("/json"), "pipeline": [{"op": "crash", "how": "abort"}]}
        tasks = ([good] * 20 + [bad] + [good] * 20) * 2
        outcomes = server.batch(tasks, order="input").outcomes
        codes = [outcome.get("error", {}).get("code") for outcome in outcomes]
        self.assertEqual(codes, ([None] * 20 + ["worker_crashed"] + [None] * 20) * 2)
        self.assert_serves(server)

    def test_the_echo_hook(self):
        response = self.server.fetch(self.origin.url("/json"), ("echo", {"text": "as given"}))
        self.assertEqual((response.status, response.body), (200, b"as given"))


class SpinningOps(FaultTest):
    # Not less: the others of a batch have to be done within it, on a busy machine too.
    settings = {"workers.task_timeout_ms": 2000}

    def test_a_task_that_never_ends(self):
        started = time.monotonic()
        response = self.server.fetch(self.origin.url("/json"), "spin_forever")
        self.assert_problem(response, "processing_timeout", stage="process")
        self.assertGreater(time.monotonic() - started, 1.9)
        self.assert_serves(self.server)

    def test_more_of_them_than_workers(self):
        tasks = [{"url": self.origin.url("/json"), "pipeline": [{"op": "spin_forever"}]}] * 3
        tasks += [{"url": self.origin.url("/json?records=1")}] * 6
        outcomes = self.server.batch(tasks, order="input").outcomes
        codes = [outcome.get("error", {}).get("code") for outcome in outcomes]
        self.assertEqual(codes, ["processing_timeout"] * 3 + [None] * 6)
        self.assert_serves(self.server)

    def test_a_caller_that_leaves_a_spinning_task(self):
        with self.server.raw() as client:
            target = "/v1/fetch?op=spin_forever&url=" + self.origin.url("/json")
            client.send_request("GET", target)
            eventually(
                lambda: self.server.metrics().value("http_requests_in_flight") >= 1, "it runs"
            )
        self.assert_serves(self.server)
        busy = [processes.cpu_seconds(pid) for pid in self.server.workers()]
        self.assertLess(max(busy), bound(3))


class NothingLeft(FaultTest):
    settings = {
        "workers.task_timeout_ms": 1000,
        "workers.poison_ms": 0,
        "fetch.idle_timeout_ms": 50,
    }

    def test_descriptors(self):
        self.assert_serves(self.server)

        def counts():
            spawner = processes.descriptors(self.server.spawner())
            return self.server.descriptor_count(), len(spawner)

        def settled():
            first, pause = counts(), time.monotonic() + 0.3
            eventually(lambda: time.monotonic() > pause, "a moment")
            return first == counts() and first

        before = eventually(settled, "idle connections are closed")
        for _ in range(3):
            for step in (("crash", {"how": "segv"}), ("crash", {"how": "exit"}), "spin_forever"):
                self.server.fetch(self.origin.url("/json"), step)
            for pid in self.server.workers():
                processes.kill(pid)
            for target in ("/reset?after=10", "/short", "/garbage", "/close?n=10"):
                self.server.fetch(self.origin.url(target))
            self.server.fetch(self.origin.url("/hang"), timeout_ms=50)
            self.assert_serves(self.server)
        eventually(
            lambda: all(now <= then for now, then in zip(counts(), before, strict=True)),
            f"no more descriptors than {before}",
        )
        self.server.whole_family()


class DyingParents(FaultTest):
    def test_without_its_spawner_the_server_ends_and_says_why(self):
        server = self.start()
        family = processes.descendants(server.pid)
        os.kill(server.spawner(), signal.SIGKILL)
        self.assertNotIn(server.wait(), (0, -signal.SIGSEGV, -signal.SIGABRT))
        said = [entry for entry in server.log if "spawner" in json.dumps(entry)]
        self.assertIn("error", {entry["level"] for entry in said}, server.log)
        eventually(lambda: not any(map(alive, family)), "all processes end")

    def test_without_its_loop_nothing_stays(self):
        for number in (signal.SIGKILL, signal.SIGSEGV):
            with self.subTest(number=number):
                server = self.start()
                family = server.whole_family()
                os.kill(server.pid, number)
                server.wait()
                eventually(lambda family=family: not any(map(alive, family)), "all end")


class Drain(FaultTest):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    def test_what_is_in_flight_finishes(self):
        server = self.start({"server.drain_delay_ms": 100})
        may_answer = threading.Event()
        with (
            RawUpstream([READ, may_answer.wait, self.answer]) as upstream,
            concurrent.futures.ThreadPoolExecutor(1) as pool,
        ):
            call = pool.submit(server.fetch, upstream.url())
            eventually(lambda: upstream.heads, "it is in flight")
            server.terminate()
            eventually(lambda: not self.connects(server), "the listener closes")
            self.assertFalse(call.done())
            may_answer.set()
            self.assertEqual(call.result().status, 200)
        self.assertEqual(server.wait(), 0)

    def test_until_the_listener_closes_all_are_served(self):
        server = self.start({"server.drain_delay_ms": 600_000})
        server.terminate()
        eventually(lambda: server.get("/readyz").status == 503, "readyz fails")
        self.assertEqual(server.get("/livez").status, 200)
        self.assertEqual(server.fetch(self.origin.url("/json")).status, 200)
        server.terminate()
        self.assertEqual(server.wait(), 0)

    def connects(self, server):
        try:
            socket.create_connection(server.address, timeout=0.2).close()
        except (ConnectionRefusedError, TimeoutError):  # at first there is no answer at all
            return False
        return True

    def test_a_batch_finishes(self):
        server = self.start()
        may_answer = threading.Event()

        def answer(*_):
            may_answer.wait()
            return self.answer

        with (
            AnsweringUpstream(answer) as upstream,
            concurrent.futures.ThreadPoolExecutor(1) as pool,
        ):
            tasks = [{"url": upstream.url(f"/{n}")} for n in range(10)]
            call = pool.submit(server.batch, tasks, concurrency=5)
            eventually(lambda: len(upstream.heads) == 5, "it is in flight")
            server.terminate()
            server.wait_for_log("draining")
            may_answer.set()
            self.assertEqual(call.result().summary["ok"], 10)
        self.assertEqual(server.wait(), 0)

    def test_idle_connections_do_not_delay_it(self):
        server = self.start()
        with server.raw() as client:
            client.send_request("GET", "/livez")
            client.read_response()
            started = time.monotonic()
            server.terminate()
            self.assertEqual(client.read_to_end(), b"")
            self.assertEqual(server.wait(), 0)
            self.assertLess(time.monotonic() - started, bound(5))

    def test_it_is_bounded(self):
        server = self.start({"server.drain_timeout_ms": 300})
        with server.raw() as client:
            client.send_request("GET", "/v1/fetch?url=" + self.origin.url("/hang"))
            eventually(lambda: self.origin.open_requests() == 1, "it is in flight")
            started = time.monotonic()
            server.terminate()
            self.assertGreaterEqual(server.wait(), 0)
            self.assertLess(time.monotonic() - started, bound(5))
        eventually(lambda: self.origin.open_requests() == 0, "the upstream is let go")

    def test_a_second_signal_stops_at_once(self):
        server = self.start({"server.drain_delay_ms": 60_000, "server.drain_timeout_ms": 60_000})
        family = processes.descendants(server.pid)
        with server.raw() as client:
            client.send_request("GET", "/v1/fetch?url=" + self.origin.url("/hang"))
            eventually(lambda: self.origin.open_requests() == 1, "it is in flight")
            server.terminate()
            eventually(lambda: server.get("/readyz").status == 503, "it drains")
            server.terminate()
            self.assertGreaterEqual(server.wait(10), 0)
        eventually(lambda: not any(map(alive, family)), "no process is left")

    def test_an_interrupt_drains_too(self):
        server = self.start()
        server.child.send_signal(signal.SIGINT)
        self.assertEqual(server.wait(), 0)


if __name__ == "__main__":
    harness.main()
