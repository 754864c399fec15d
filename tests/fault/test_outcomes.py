"""Exhaustion, silence, deaths and clock jumps: every task still has exactly one honest outcome."""

import concurrent.futures
import datetime
import hashlib
import json
import os
import pathlib
import resource
import signal
import sys
import threading
import time
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import harness
import processes
from harness import ERRORS, ServerTest
from http_client import ConnectionOver
from processes import SANITIZED, alive, bound, eventually, with_more_time
from upstreams import CLOSE, READ, RawUpstream

ITERATIONS = 3_000_000
LONG = 500_000_000


def loop_result(iterations, size):
    """What cpu.loop answers for a body of `size` bytes."""
    return size * (iterations * (iterations - 1) // 2)


def body_of(number, size):
    """Bytes that are no other request's."""
    name = b"%d" % number
    digest = hashlib.sha256(name).hexdigest().encode()
    return (name + b"-" + digest * (size // 64 + 1))[:size]


class OutcomeTest(ServerTest):
    testing = True

    def assert_honest(self, response, right, allowed):
        """The right bytes, or an error that is allowed here; 429 says when to come again."""
        if response.status == 200:
            self.assertEqual(response.body, right)
            return "ok"
        code = response.json()["code"]
        self.assertIn(code, allowed, response)
        self.assertEqual(response.status, ERRORS[code][0])
        if response.status == 429:
            self.assertGreaterEqual(int(response.header("retry-after")), 1)
        return code

    def assert_batch_is_whole(self, batch, count):
        self.assertEqual(sorted(o["index"] for o in batch.outcomes), list(range(count)))
        self.assertEqual(batch.summary["tasks"], count)
        ok = sum(o["type"] == "result" for o in batch.outcomes)
        self.assertEqual((batch.summary["ok"], batch.summary["failed"]), (ok, count - ok))

    def assert_nothing_held(self, server):
        def held():
            now = server.metrics()
            return (
                now.value("region_bytes", state="used"),
                now.value("task_queue_depth"),
                now.value("http_requests_in_flight"),
            )

        eventually(lambda: held() == (0, 0, 0), "nothing is held")

    def busy_worker(self, server):
        """The pid of a worker that runs a task now."""
        used = {pid: processes.cpu_seconds(pid) for pid in server.workers()}

        def found():
            return [
                pid for pid in used if alive(pid) and processes.cpu_seconds(pid) > used[pid] + 0.03
            ]

        return eventually(found, "a worker works")[0]


class RegionExhaustion(OutcomeTest):
    settings = {
        "workers.region_mb": 4,
        "fetch.max_bytes": 1 << 20,
        "server.max_body_bytes": 1 << 20,
    }
    size = 900_000

    def half_sent(self, number):
        """A request whose body arrives only by half: it keeps its part of the region."""
        body = body_of(number, self.size)
        client = self.enterContext(self.server.raw(timeout=60))
        client.send_request(
            "POST",
            "/v1/process?op=hash&algorithm=sha256",
            b"",
            {"Content-Length": str(self.size), "Content-Type": "text/plain"},
        )
        client.send(body[: self.size // 2])
        return client, body

    def finish(self, client, body):
        client.send(body[self.size // 2 :])
        digest = hashlib.sha256(body).hexdigest().encode()
        return self.assert_honest(client.read_response(), digest, {"overloaded"})

    def test_many_large_bodies(self):
        def one(number):
            body = body_of(number, self.size)
            response = self.server.process(body, "hash", algorithm="sha256")
            digest = hashlib.sha256(body).hexdigest().encode()
            return self.assert_honest(response, digest, {"overloaded"})

        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            ends = list(pool.map(one, range(200)))
        self.assertIn("ok", ends)
        self.assert_nothing_held(self.server)

    def test_everything_drains_once_it_empties(self):
        held = [self.half_sent(number) for number in range(12)]
        eventually(
            lambda: self.server.metrics().value("region_bytes", state="free") < (2 << 20),
            "the region is nearly full",
        )
        self.assertEqual(self.server.get("/livez").status, 200)
        with concurrent.futures.ThreadPoolExecutor(13) as pool:
            tasks = [{"url": self.origin.url("/bytes?n=500000"), "pipeline": [{"op": "hash"}]}] * 8
            batch = pool.submit(self.server.batch, tasks)
            ends = list(pool.map(lambda pair: self.finish(*pair), held))
            self.assertIn("ok", ends)
            self.assert_batch_is_whole(batch.result(), 8)
        codes = {o.get("error", {}).get("code") for o in batch.result().outcomes}
        self.assertLessEqual(codes, {None, "overloaded"})
        self.assert_nothing_held(self.server)

    def test_what_was_fetched_waits_for_the_room_of_its_url(self):
        full = threading.Event()
        self.addCleanup(full.set)
        body = body_of(0, 3000)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"
        script = [READ, head + body[:1000], full.wait, body[1000:], CLOSE]
        with RawUpstream(script) as upstream, concurrent.futures.ThreadPoolExecutor(13) as pool:
            url = upstream.url("/" + "x" * 2000)
            fetching = pool.submit(self.server.fetch, url, ("hash", {"algorithm": "sha256"}))
            eventually(
                lambda: self.server.metrics().value("region_bytes", state="used") > 0,
                "the body has a slot",
            )
            held = [self.half_sent(number) for number in range(12)]
            # Of what is free the reserve, a large slot and a medium one, is 1,200,128 bytes here, and
            # with the URL the body needs a medium slot.
            eventually(
                lambda: self.server.metrics().value("region_bytes", state="free")
                < 1_200_128 + (64 << 10),
                "there is no room for a medium slot",
            )
            full.set()
            eventually(
                lambda: self.server.metrics().value("fetch_connections", state="active") == 0,
                "the body is complete",
            )
            self.assertFalse(fetching.done())
            list(pool.map(lambda pair: self.finish(*pair), held))
            fetched = self.assert_ok(fetching.result())
        self.assertEqual(fetched.body.strip(), hashlib.sha256(body).hexdigest().encode())
        self.assert_nothing_held(self.server)


class DescriptorExhaustion(OutcomeTest):
    settings = {"fetch.idle_timeout_ms": 50}

    @unittest.skipIf(
        SANITIZED,
        "UBSan opens a pipe to see whether an object is readable, and without one says it is not",
    )
    def test_every_request_is_answered(self):
        server = self.start(self.settings)
        body = self.origin.get("/bytes?n=2000").body
        eventually(
            lambda: server.metrics().value("workers", state="standby") == 1, "the pool is whole"
        )
        before = server.descriptor_count()
        limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (before + 8, limits[1]))

        def one(_):
            response = server.fetch(self.origin.url("/bytes?n=2000"), "identity")
            allowed = {"overloaded", "connect_failed", "dns_failed"}
            return self.assert_honest(response, body, allowed)

        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            calls = [pool.submit(one, number) for number in range(120)]
            concurrent.futures.wait(calls, timeout=bound(3))
            # A worker dies meanwhile: its replacement needs a descriptor too.
            processes.kill(server.workers()[0])
            concurrent.futures.wait(calls, timeout=bound(1))
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
            ends = [call.result() for call in calls]
        self.assertIn("ok", ends)
        eventually(lambda: len(server.workers()) == 3, "the pool is whole")
        eventually(lambda: server.descriptor_count() <= before, f"{before} descriptors again")
        self.assert_nothing_held(server)


class SilentWorkers(OutcomeTest):
    def test_a_stopped_workers_task_is_run_elsewhere(self):
        server = self.start()
        step = ("cpu.loop", {"iterations": LONG})
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(server.fetch, self.origin.url("/bytes?n=7"), step)
            silent = self.busy_worker(server)
            os.kill(silent, signal.SIGSTOP)
            response = call.result()
        self.assertEqual((response.status, response.json()), (200, loop_result(LONG, 7)))
        eventually(lambda: not alive(silent), "the silent one is gone")
        eventually(lambda: len(server.workers()) == 3, "the pool is whole")

    def test_idle_ones_that_stop_are_replaced(self):
        server = self.start()
        silent = server.workers()
        for pid in silent:
            processes.kill(pid, signal.SIGSTOP)
        for number in range(6):
            response = server.process(body_of(number, 100), "echo")
            self.assertEqual((response.status, response.body), (200, body_of(number, 100)))
        eventually(lambda: not any(map(alive, silent)), "the silent ones are gone")

    def test_a_task_that_stops_its_worker_ends(self):
        server = self.start({"workers.task_timeout_ms": 5000})
        response = server.process(b"x", "crash", how="stop")
        self.assertIn(response.json()["code"], ("worker_crashed", "processing_timeout"))
        self.assertEqual(server.process(b"y", "echo").body, b"y")
        eventually(lambda: len(server.workers()) == 3, "the pool is whole")


class Deaths(OutcomeTest):
    def under_load(self, server, pool):
        """Calls of each kind under way, none of which ends soon; a batch comes first."""
        url = self.origin.url("/bytes?n=9")
        tasks = [{"url": url, "pipeline": [{"op": "spin_forever"}]}] * 8
        calls = [
            pool.submit(server.batch, tasks),
            pool.submit(server.process, b"x", "spin_forever"),
            pool.submit(server.fetch, url, "spin_forever"),
            pool.submit(server.fetch, self.origin.url("/hang")),
        ]
        eventually(
            lambda: server.metrics().value("http_requests_in_flight") == len(calls), "all are sent"
        )
        self.busy_worker(server)
        return calls

    def test_the_spawner_dies_under_load(self):
        server = self.start()
        family = processes.descendants(server.pid)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            calls = self.under_load(server, pool)
            os.kill(server.spawner(), signal.SIGKILL)
            # It stops, having told everybody.
            self.assertEqual(server.wait(), 1)
            batch, *responses = [call.result(timeout=bound(5)) for call in calls]
        self.assert_batch_is_whole(batch, 8)
        self.assertEqual([o["error"]["code"] for o in batch.outcomes], ["draining"] * 8)
        for response in responses:
            self.assert_problem(response, "draining")
        said = [entry["level"] for entry in server.log if "spawner" in json.dumps(entry)]
        self.assertIn("error", said)
        eventually(lambda: not any(map(alive, family)), "no process is left", 5)

    def test_the_loop_dies_under_load(self):
        server = self.start()
        family = processes.descendants(server.pid)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            calls = self.under_load(server, pool)
            os.kill(server.pid, signal.SIGKILL)
            eventually(lambda: not any(map(alive, family)), "no process is left", 5)
            # Nobody is left to answer, and nothing passes for an answer.
            for call in calls:
                self.assertIsInstance(call.exception(timeout=bound(5)), (ConnectionOver, OSError))
        self.assertEqual(server.wait(), -signal.SIGKILL)

    def test_a_drain_completes_a_batch_whose_workers_die(self):
        # More work where the batch is over before a worker of it is found.
        with_more_time(self.drain_a_batch, ITERATIONS, 10 * ITERATIONS, 50 * ITERATIONS)

    def drain_a_batch(self, iterations):
        server = self.start()
        step = {"op": "cpu.loop", "iterations": iterations}
        tasks = [
            {"url": self.origin.url("/text?text=" + "x" * n), "pipeline": [step]}
            for n in range(1, 201)
        ]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            call = pool.submit(server.batch, tasks)
            self.busy_worker(server)
            server.terminate()
            processes.kill(self.busy_worker(server))
            batch = call.result()
        self.assert_batch_is_whole(batch, 200)
        results = [outcome.get("result") for _, outcome in sorted(batch.by_index().items())]
        self.assertEqual(results, [loop_result(iterations, n) for n in range(1, 201)])
        self.assertEqual(server.wait(), 0)


class ClockJumps(OutcomeTest):
    def start_with_jumps(self, settings):
        added = {"LD_PRELOAD": os.environ["FETCHMILL_CLOCK_SHIM"]}
        if SANITIZED:
            added["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        with unittest.mock.patch.dict(os.environ, added):
            return self.start(settings)

    def timed(self, call):
        started = time.monotonic()
        value = call()
        return value, time.monotonic() - started

    def test_no_deadline_moves(self):
        server = self.start_with_jumps({"workers.task_timeout_ms": 600})
        spin = [{"url": self.origin.url("/json"), "pipeline": [{"op": "spin_forever"}]}]
        hang = [{"url": self.origin.url("/hang")}]
        for _ in range(3):
            batch, took = self.timed(lambda: server.batch(hang + spin, deadline_ms=400))
            self.assertEqual({o["error"]["code"] for o in batch.outcomes}, {"deadline_exceeded"})
            self.assertTrue(0.35 < took < bound(1.5), took)
            response, took = self.timed(lambda: server.process(b"x", "spin_forever"))
            self.assert_problem(response, "processing_timeout")
            self.assertTrue(0.55 < took < bound(2.5), took)
            response, took = self.timed(lambda: server.fetch(hang[0]["url"], timeout_ms=300))
            self.assert_problem(response, "upstream_timeout")
            self.assertTrue(0.25 < took < bound(1.5), took)
        self.assert_the_clock_jumped(server)
        # Nor does one come for what has time enough.
        server = self.start_with_jumps({})
        tasks = [{"url": self.origin.url(f"/text?text={n}")} for n in range(100)]
        batch = server.batch(tasks, order="input")
        self.assertEqual([o["text"] for o in batch.outcomes], [str(n) for n in range(100)])

    def assert_the_clock_jumped(self, server):
        for _ in range(8):
            victim = server.workers()[0]
            processes.kill(victim)
            eventually(lambda victim=victim: victim not in server.workers(), "it is gone")
            eventually(lambda: len(server.workers()) == 3, "the pool is whole")
        times = [datetime.datetime.fromisoformat(e["time"]) for e in server.log if "time" in e]
        self.assertGreater(max(times) - min(times), datetime.timedelta(hours=1))


if __name__ == "__main__":
    harness.main()
