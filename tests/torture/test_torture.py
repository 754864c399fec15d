"""Each system call and each allocation of the loop, the spawner and a worker fails once. The server is
started again and again until nothing new fails."""

import gzip
import mmap
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

# pylint: disable=wrong-import-position
import processes  # noqa: E402
from exempt import EXEMPT  # noqa: E402
from harness import ERRORS, FETCHMILL_BIN, Fetchmill  # noqa: E402
from http_client import ConnectionOver  # noqa: E402
from name_server import Answer, NameServer, address  # noqa: E402
from processes import alive, eventually  # noqa: E402
from service_manager import Manager  # noqa: E402
from upstreams import Certificates, Origin  # noqa: E402

SHIM = os.environ.get(
    "FETCHMILL_TORTURE_SHIM", str(ROOT / "build/release/tests/torture/libtorture_shim.so")
)
SITES_MAX, SITE_BYTES = 1 << 14, 32
SETTINGS = {
    # The same small workload again and again: it must not count as poison.
    "workers.poison_ms": 0,
    "workers.scheduling": "batch",
}
# Two workers, the standby and the spawner.
FAMILY = 4
BODY = b'{"a":[1,2,3]}'
# Grows a buffer of the worker's more than once.
LARGE = b"x" * 1_000_000
# Long enough to be watched.
ITERATIONS = 40_000_000


class State:
    """What the shim and the test share: see shim.cpp."""

    def __init__(self):
        with tempfile.TemporaryFile() as file:
            file.truncate(8 + SITES_MAX * SITE_BYTES)
            self.path = f"/proc/{os.getpid()}/fd/{os.dup(file.fileno())}"
            self.memory = mmap.mmap(file.fileno(), 0)

    def arm(self, on):
        self.memory[0:4] = struct.pack("I", int(on))

    @property
    def failed(self):
        return struct.unpack("I", self.memory[4:8])[0]

    def sites(self):
        found = {}
        for i in range(SITES_MAX):
            at = 8 + i * SITE_BYTES
            value = struct.unpack("Q", self.memory[at : at + 8])[0]
            if value:
                found[value] = self.memory[at + 8 : at + SITE_BYTES].rstrip(b"\0").decode()
        return found


class Tortured(Fetchmill):
    """A server that may fail to start: then `child` has ended, with an explanation in its log."""

    def __init__(self, settings, state, role, what, environment):
        environment = {
            **environment,
            "LD_PRELOAD": SHIM,
            "TORTURE_STATE": state.path,
            "TORTURE_ROLE": role,
            "TORTURE_WHAT": what,
        }
        self.serves = False
        try:
            super().__init__(settings, testing=True, environment=environment)
            self.serves = True
        except AssertionError:
            pass

    def is_ready(self):
        return self.attempt(super().is_ready)

    def attempt(self, request):
        """One request's response, or None when its connection was closed."""
        try:
            return request()
        except (ConnectionOver, OSError):
            return None


def symbols(of, which):
    """What a binary has of others, or for others, as {name: version}."""
    listed = subprocess.run(["nm", "-D", which, of], stdout=subprocess.PIPE, text=True, check=True)
    names = (line.split()[-1].partition("@") for line in listed.stdout.splitlines())
    return {name: version.lstrip("@") for name, _, version in names}


class Completeness(unittest.TestCase):
    """Nothing that the server asks of the system is forgotten here."""

    def setUp(self):
        self.tortured = set(symbols(SHIM, "--defined-only"))
        named = {name for names in EXEMPT.values() for name in names.split()}
        self.exempt = named | {f"__{name}_chk" for name in named}

    def test_what_the_server_imports_is_made_to_fail_or_exempt(self):
        imported = symbols(FETCHMILL_BIN, "--undefined-only")
        of_system = {name for name, version in imported.items() if re.match("GLIBC_", version)}
        self.assertIn("epoll_wait", of_system)
        self.assertEqual(sorted(of_system - self.tortured - self.exempt), [])

    def test_nothing_is_both(self):
        self.assertEqual(sorted(self.exempt & self.tortured), [])


class TortureTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        certificates = cls.enterClassContext(Certificates())
        cls.origin = cls.enterClassContext(Origin(certificates))
        never_kept = Answer(address("hello.test", 0, "127.0.0.1"))
        names = cls.enterClassContext(NameServer({"hello.test": never_kept}))
        cls.manager = cls.enterClassContext(Manager(f"@fetchmill-torture-{os.getpid()}"))
        config = cls.enterClassContext(tempfile.NamedTemporaryFile("w", suffix=".toml"))
        config.write("[pipelines.same]\nsteps = [{op = 'identity'}]\n")
        config.flush()
        # The allocations of TLS and of a reload are their libraries', and too many.
        cls.settings = {
            "memory": SETTINGS,
            "calls": {
                **SETTINGS,
                "config": config.name,
                "fetch.ca_file": certificates.ca_file,
                "fetch.dns_servers": names.address,
                "fetch.connect_timeout_ms": 2000,
            },
        }

    def descriptors_of_untouched(self, what):
        with Fetchmill(self.settings[what], testing=True) as server:
            for _, request, _ in self.workload(server, what):
                request()
            return server.descriptor_count()

    def workload(self, server, what):
        """(name, request, the right answer) of everything a server does, in a small way."""
        target = "/text?text=hello"
        url = self.origin.url(target)
        task = {"url": url, "pipeline": [{"op": "identity"}]}
        over_tls = self.origin.tls_url(target)
        by_name = self.origin.url(target, host="hello.test")
        outbound = [
            ("tls", lambda: server.get("/v1/fetch", url=over_tls), b"hello"),
            ("name", lambda: server.get("/v1/fetch", url=by_name), b"hello"),
        ]
        return [
            *(outbound if what == "calls" else []),
            ("fetch", lambda: server.get("/v1/fetch", url=url), b"hello"),
            ("process", lambda: server.process(BODY, "json.select", pointer="/a/1"), b"2"),
            ("large", lambda: server.process(b"x" * 70_000, "identity"), b"x" * 70_000),
            ("coded", lambda: self.coded(server), LARGE),
            (
                "long",
                lambda: server.process(b"x", "cpu.loop", iterations=ITERATIONS),
                b"%d" % (ITERATIONS * (ITERATIONS - 1) // 2),
            ),
            ("batch", lambda: server.post("/v1/batch", {"tasks": [task, task]}), None),
            ("metrics", lambda: server.get("/metrics"), None),
            ("ready", lambda: server.get("/readyz"), None),
        ]

    @staticmethod
    def coded(server):
        return server.process(gzip.compress(LARGE), "identity", {"Content-Encoding": "gzip"})

    def run_once(self, state, role, what):
        """One life of a server, with failures until the clean-up."""
        state.arm(True)
        server = Tortured(self.settings[what], state, role, what, self.manager.environment)
        family = []
        try:
            if not server.serves:
                code = server.child.poll()
                if not self.ended_before_main(server, what):
                    self.assertIn(code, (1, 2), f"{role}/{what}: {server.log[-8:]}")
                self.assertTrue(server.log, "it says why it cannot start")
                return
            for name, request, right in self.workload(server, what):
                response = server.attempt(request)
                self.check(name, response, right)
            if what == "calls":
                self.reload(server)
            family += processes.descendants(server.pid)
            self.kill_a_worker(server)
            server.attempt(lambda: server.process(BODY, "identity"))
            state.arm(False)
            self.check_whole(server, what)
            if self.spawner_was_lost(server):
                self.assertEqual(server.wait(), 1, server.log[-8:])
                return
            family += processes.descendants(server.pid)
            state.arm(True)
            server.terminate()
            eventually(lambda: server.child.poll() is not None, "it ends on SIGTERM", 10)
            self.assertEqual(server.wait(), 0, f"{role}/{what}: {server.log[-8:]}")
        finally:
            server.kill()
            eventually(lambda: not any(map(alive, family)), "no process is left")

    @staticmethod
    def ended_before_main(server, what):
        """Static objects of libraries are made before any handler of ours could be there."""
        first = server.log[0].get("message", "") if server.log else ""
        return what == "memory" and first.startswith("terminate called") and "bad_alloc" in first

    @staticmethod
    def kill_a_worker(server):
        spawners = processes.children(server.pid)
        for worker in processes.children(spawners[0])[:1] if spawners else []:
            processes.kill(worker)

    @staticmethod
    def spawner_was_lost(server):
        """An orderly end: without a spawner nothing can be served."""
        return any(entry.get("message") == "spawner lost" for entry in server.log)

    def check(self, name, response, right):
        if response is None:
            return
        if name == "ready" and response.status == 503:
            # Every worker has just ended, and /readyz tells so in its own form.
            self.assertEqual(response.json()["status"], "starting", response)
        elif response.status != 200:
            self.assertEqual(response.header("content-type"), "application/problem+json", response)
            self.assertIn(response.json()["code"], ERRORS)
        elif name == "metrics":
            # What cannot be read is left out.
            self.assertNotRegex(response.body, rb"process_(open|max)_fds 0\n")
        elif right is not None:
            self.assertEqual(response.body, right, name)

    def reload(self, server, message=""):
        """SIGHUP, until the log tells what came of it."""

        def told():
            return sum(
                entry.get("component") == "reload" and message in entry["message"]
                for entry in server.log
            )

        before = told()
        server.child.send_signal(signal.SIGHUP)
        eventually(
            lambda: told() > before or self.spawner_was_lost(server), f"a reload ends {message}"
        )

    def check_whole(self, server, what):
        """Once nothing fails any more it serves as if nothing had been, unless its spawner ended."""
        if what == "calls":
            self.reload(server, "settings reloaded")
        for name, request, right in self.workload(server, what):
            eventually(
                lambda r=request, b=right: self.spawner_was_lost(server)
                or self.is_right(server, r, b),
                f"{name} is served",
            )

        def at_rest():
            if self.spawner_was_lost(server):
                return True
            metrics = server.attempt(server.metrics)
            return (
                metrics is not None
                and metrics.value("http_requests_in_flight") == 0
                and metrics.value("region_bytes", state="used") == 0
                and metrics.value("workers", state="idle") == 2
                and server.descriptor_count() <= self.descriptors + 2
                and len(processes.descendants(server.pid, ended=True)) == FAMILY
            )

        eventually(at_rest, "nothing is held and the pool is whole")

    @staticmethod
    def is_right(server, request, right):
        response = server.attempt(request)
        return (
            response is not None
            and response.status == 200
            and (right is None or response.body == right)
        )

    def torture(self, role, what, within, to_the_end=True):
        state = State()
        self.descriptors = self.descriptors_of_untouched(what)
        end = time.monotonic() + within
        runs, before = 0, -1
        while state.failed != before and time.monotonic() < end:
            before = state.failed
            with self.subTest(role=role, what=what, run=runs):
                known = set(state.sites())
                try:
                    self.run_once(state, role, what)
                except (AssertionError, OSError) as error:
                    new = [call for hash_, call in state.sites().items() if hash_ not in known]
                    raise AssertionError(f"after {new}: {error}") from error
            runs += 1
        self.assertGreater(state.failed, 1, "the shim was loaded")
        if to_the_end:
            self.assertEqual(state.failed, before, f"new sites are still met after {within} s")
        print(f"{role} {what}: {state.failed} sites in {runs} runs", file=sys.stderr)

    def test_system_calls_of_the_loop(self):
        self.torture("loop", "calls", 180)

    def test_system_calls_of_the_spawner(self):
        self.torture("spawner", "calls", 60)

    def test_system_calls_of_a_worker(self):
        self.torture("worker", "calls", 60)

    def test_allocations_of_the_loop(self):
        # Its turns combine in ever new ways, so there is no last site.
        self.torture("loop", "memory", 30, to_the_end=False)

    def test_allocations_of_the_spawner(self):
        self.torture("spawner", "memory", 60)

    def test_allocations_of_a_worker(self):
        self.torture("worker", "memory", 60)


if __name__ == "__main__":
    unittest.main()
