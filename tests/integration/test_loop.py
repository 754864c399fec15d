"""The literature's programs through the product, and proof that the loop never blocks."""

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

import harness
import processes
from harness import ServerTest
from processes import bound, eventually

CPUS = len(os.sched_getaffinity(0))


def timed(call):
    started = time.monotonic()
    result = call()
    return time.monotonic() - started, result


class Waiting(ServerTest):
    def run_delays(self, count, delay_ms, limit, **fields):
        tasks = [{"url": self.origin.url(f"/delay?ms={delay_ms}")}] * count
        elapsed, batch = timed(lambda: self.server.batch(tasks, **fields))
        self.assertEqual(batch.summary["ok"], count, batch.summary)
        self.assertGreaterEqual(elapsed, delay_ms / 1000)
        self.assertLess(elapsed, bound(limit))

    def test_five_of_half_a_second_take_the_longest_not_the_sum(self):
        self.run_delays(5, 500, 1.5)

    def test_fifty_of_a_second(self):
        self.run_delays(50, 1000, 2.5)

    def test_a_thousand_of_a_second(self):
        self.run_delays(1000, 1000, 4, concurrency=1000)

    def test_who_comes_beside_a_large_batch_need_not_wait_until_all_of_it_has_begun(self):
        server = self.start({"fetch.max_connections_per_origin": 256})
        with contextlib.ExitStack() as stack:
            upstream = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
            upstream.settimeout(bound(20))
            url = "http://127.0.0.1:%d/" % upstream.getsockname()[1]
            batch, beside = (stack.enter_context(server.raw()) for _ in range(2))
            for client in (batch, beside):
                client.send_request("GET", "/livez")
                self.assertEqual(client.read_response().status, 200)
            # So that both requests are there when it looks, the batch first.
            os.kill(server.pid, signal.SIGSTOP)
            eventually(lambda: processes.stopped(server.pid), "it stands still")
            tasks = [{"url": f"{url}{n}"} for n in range(200)]
            body = json.dumps({"tasks": tasks, "concurrency": 200}).encode()
            batch.send_request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
            beside.send_request("GET", f"/v1/fetch?url={url}beside")
            os.kill(server.pid, signal.SIGCONT)
            targets = []
            for _ in range(201):
                connection = stack.enter_context(upstream.accept()[0])
                targets.append(connection.recv(4096).split()[1])
            self.assertLess(targets.index(b"/beside"), 100)


class Computing(ServerTest):
    def cpu_batch(self, tasks, iterations):
        task = {
            "url": self.origin.url("/bytes?n=1"),
            "pipeline": [{"op": "cpu.loop", "iterations": iterations}],
        }
        elapsed, batch = timed(lambda: self.server.batch([task] * tasks))
        self.assertEqual(batch.summary["ok"], tasks, batch.outcomes[:1])
        return elapsed

    def iterations_for(self, seconds):
        """So many iterations of cpu.loop take about that long here."""
        iterations = 10_000_000
        while (elapsed := self.cpu_batch(1, iterations)) < seconds / 2:
            iterations *= 2
        return int(iterations * seconds / elapsed)

    def strangers(self, count):
        """The time that so many processes take which compute at once."""

        def compute():
            program = [sys.executable, "-S", "-c", "sum(range(15_000_000))"]
            for child in [subprocess.Popen(program) for _ in range(count)]:
                self.assertEqual(child.wait(), 0)

        return timed(compute)[0]

    @unittest.skipIf(CPUS < 2, "needs two CPUs to run two tasks at once")
    def test_two_tasks_on_two_workers_take_the_time_of_one(self):
        iterations = self.iterations_for(0.4)
        # Others may be at work on this machine: it is held against what two processes take that
        # have nothing to do with each other, in the best of a few rounds.
        rounds = []  # (the ratio, the CPU time of the worker that did less)
        while len(rounds) < 8 and min(rounds, default=(9,))[0] > 1.5:
            before = [processes.cpu_seconds(pid) for pid in self.server.workers()]
            tasks = self.cpu_batch(2, iterations) / self.cpu_batch(1, iterations)
            ratio = tasks / (self.strangers(2) / self.strangers(1))
            after = [processes.cpu_seconds(pid) for pid in self.server.workers()]
            used = [end - start for start, end in zip(before, after, strict=True)]
            rounds.append((ratio, sorted(used)[-2]))  # the third is the standby
        self.assertLess(min(rounds)[0], 1.5, rounds)
        self.assertGreater(min(rounds)[1], 0.1, "two workers took part")

    def test_ten_thousand_tiny_tasks_start_no_process(self):
        family = self.server.whole_family()
        tasks = [{"url": self.origin.url("/json?records=1")}] * 1000
        pipeline = [{"op": "json.select", "pointer": "/0/id"}]
        for _ in range(10):
            batch = self.server.batch(tasks, defaults={"pipeline": pipeline})
            self.assertEqual({outcome["result"] for outcome in batch.outcomes}, {0})
            self.assertEqual(batch.summary["ok"], 1000)
        self.assertEqual(processes.descendants(self.server.pid), family)
        self.assertEqual(self.server.metrics().value("worker_restarts_total"), 0)

    def test_workers_get_the_scheduling_class_that_is_set(self):
        for word, policy in (("batch", os.SCHED_BATCH), ("idle", os.SCHED_IDLE)):
            server = self.start({"workers.scheduling": word})
            server.whole_family()
            eventually(
                lambda server=server, policy=policy: {policy}
                == {os.sched_getscheduler(pid) for pid in server.workers()},
                f"all workers are {word}",
            )


class Saturated(ServerTest):
    settings = {"workers.task_timeout_ms": 600_000, "workers.task_cpu_ms": 600_000}

    def test_health_is_answered_while_all_workers_are_busy(self):
        task = {  # which takes longer than this test
            "url": self.origin.url("/bytes?n=1"),
            "pipeline": [{"op": "cpu.loop", "iterations": 10**12}],
        }
        server = self.start(self.settings)
        server.whole_family()
        used = [processes.cpu_seconds(pid) for pid in server.workers()]
        with server.raw() as client:
            body = json.dumps({"tasks": [task] * 40}).encode()
            client.send_request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
            eventually(
                lambda: 2
                == sum(
                    processes.cpu_seconds(pid) > before + 0.05
                    for pid, before in zip(server.workers(), used, strict=True)
                ),
                "two workers are busy, all but the standby",
            )
            latencies = []
            while len(latencies) < 200:
                elapsed, response = timed(lambda: server.get("/healthz"))
                self.assertEqual(response.status, 200)
                latencies.append(elapsed)
            busy = server.metrics().value("workers", state="busy")
            self.assertEqual(busy, 2, "the workers were busy all the while")
        latencies.sort()
        self.assertLess(latencies[len(latencies) // 2], bound(0.05))
        self.assertLess(latencies[len(latencies) * 95 // 100], bound(0.25))
        lag = server.metrics().quantile_bound("event_loop_lag_seconds", 0.95)
        self.assertLessEqual(lag, bound(0.1))

    def test_large_bodies_do_not_hold_up_the_loop(self):
        url = self.origin.url("/json?records=100000")
        tasks = [{"url": url, "pipeline": [{"op": "json.aggregate", "value": "/score"}]}] * 20
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(self.server.batch, tasks, concurrency=4)
            latencies = []
            while not call.done():
                latencies.append(timed(lambda: self.server.get("/healthz"))[0])
            self.assertEqual(call.result().summary["ok"], 20)
        self.assertLess(sorted(latencies)[len(latencies) * 95 // 100], bound(0.25))


if __name__ == "__main__":
    harness.main()
