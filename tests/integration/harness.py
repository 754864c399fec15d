"""The server under test, and the test cases' common vocabulary."""

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import threading
import unittest
import urllib.parse

import processes
from http_client import ConnectionOver, HttpConnection
from processes import bound, eventually
from upstreams import ROOT, Origin

FETCHMILL_BIN = os.environ.get("FETCHMILL_BIN", str(ROOT / "build/release/fetchmill"))
TESTING_BIN = os.environ.get(
    "FETCHMILL_TESTING_BIN", str(ROOT / "build/release/tests/fetchmill-testing")
)

# One small server for a test: two workers whatever the machine, and loopback allowed, where the
# upstreams are.
DEFAULTS = {
    "server.listen": "127.0.0.1:0",
    "workers.count": 2,
    "workers.region_mb": 256,
    "fetch.allow_networks": ["127.0.0.0/8", "::1/128"],
    "log.format": "json",
}


def error_catalogue():
    """{code: (status, retryable)}, read from the one table."""
    text = pathlib.Path(ROOT / "config/errors.def").read_text()
    rows = re.findall(r"^ERROR\((\w+), (\d+), (true|false),", text, re.MULTILINE)
    return {code: (int(status), retryable == "true") for code, status, retryable in rows}


ERRORS = error_catalogue()


def setting_flags(settings):
    """{"fetch.timeout_ms": 500, "server.hosts": ["a", "b"]} as command line flags."""
    flags = []
    for name, value in settings.items():
        flags += [f"--{name}", ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    return flags


def clean_environment(added=None):
    """Ours without FETCHMILL_ names, which the binary would take for settings, and with `added`."""
    kept = {name: v for name, v in os.environ.items() if not name.startswith("FETCHMILL_")}
    return {**kept, **(added or {})}


def run_command(*arguments, environment=None, binary=FETCHMILL_BIN):
    """Runs the binary to its end; returns the CompletedProcess with text output."""
    return subprocess.run(
        [binary, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=bound(20),
        env=clean_environment(environment),
        check=False,
    )


def promtool_says(exposition):
    """What `promtool check metrics` makes of it: (exit code, output, errors)."""
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition, capture_output=True, check=False
    )
    return checked.returncode, checked.stdout, checked.stderr


class Batch:
    """A batch's response, taken apart."""

    def __init__(self, response):
        self.response = response
        if response.header("content-type") == "application/json":
            document = response.json()
            self.outcomes, self.summary = document["outcomes"], document["summary"]
        else:
            lines = [json.loads(line) for line in response.body.splitlines()]
            self.outcomes, self.summary = lines[:-1], lines[-1]

    def by_index(self):
        return {outcome["index"]: outcome for outcome in self.outcomes}


class Metrics:
    """A scrape of /metrics."""

    _line = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
    _label = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.text = text
        self.series = []
        for line in text.splitlines():
            found = self._line.match(line)
            if found:
                labels = dict(self._label.findall(found[2] or ""))
                self.series.append((found[1], labels, float(found[3])))

    def value(self, name, **labels):
        """The sum of the series of that name which carry these labels; 0 when there are none."""
        return sum(
            value
            for series, carried, value in self.series
            if series == "fetchmill_" + name and labels.items() <= carried.items()
        )

    def quantile_bound(self, name, quantile):
        """The upper bound of the histogram bucket that holds the quantile."""
        buckets = sorted(
            (float(labels["le"]), value)
            for series, labels, value in self.series
            if series == f"fetchmill_{name}_bucket"
        )
        total = buckets[-1][1]
        return next(limit for limit, count in buckets if count >= quantile * total)


class Fetchmill:
    """A running server on a free port. `settings` are added to DEFAULTS; None removes one.

    `prefix` is a command that runs the server's in its own process; `environment` is added.
    """

    def __init__(self, settings=None, testing=False, prefix=(), environment=None, binary=None):
        merged = {**DEFAULTS, **(settings or {})}
        flags = setting_flags({name: value for name, value in merged.items() if value is not None})
        self.binary = binary or (TESTING_BIN if testing else FETCHMILL_BIN)
        self.child = subprocess.Popen(
            [*prefix, self.binary, "serve", *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(environment),
        )
        self.log = []
        self._logged = threading.Condition()
        self._stderr_over = False
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            host, _, port = self.wait_for_log("listening", within=20)["address"].rpartition(":")
            self.address = (host.strip("[]"), int(port))
            eventually(self.is_ready, "the server is ready")
        except BaseException:
            self.kill()
            raise

    def is_ready(self):
        # A test's own limit may be over before a request is sent.
        with contextlib.suppress(ConnectionOver):
            return self.get("/readyz").status == 200
        return False

    # Requests, each on a connection of its own.

    def request(self, method, target, body=None, headers=None, timeout=60.0):
        with HttpConnection(self.address, timeout=bound(timeout)) as connection:
            connection.send_request(method, target, body, headers)
            return connection.read_response(to_head=method == "HEAD")

    def get(self, path, headers=None, method="GET", **parameters):
        """Query values may be lists: repeated parameters. A trailing _ is dropped from a name."""
        pairs = {name.rstrip("_"): value for name, value in parameters.items()}
        query = urllib.parse.urlencode(pairs, doseq=True, quote_via=urllib.parse.quote)
        return self.request(method, path + ("?" + query if query else ""), headers=headers)

    def post(self, target, document, headers=None):
        """`document`: bytes as they are, anything else as JSON."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.request(
            "POST", target, body, {"Content-Type": "application/json", **(headers or {})}
        )

    def fetch(self, url=None, *steps, request_headers=None, **task):
        """POST /v1/fetch; `steps` are the pipeline, (op name, parameters) or just the name."""
        if url is not None:
            task["url"] = url
        if steps:
            task["pipeline"] = [pipeline_step(step) for step in steps]
        return self.post("/v1/fetch", task, request_headers)

    def batch(self, tasks, request_headers=None, **fields):
        response = self.post("/v1/batch", {"tasks": tasks, **fields}, request_headers)
        if response.status != 200:
            raise AssertionError(f"the batch was refused: {response}")
        return Batch(response)

    def process(self, body, op, headers=None, **parameters):
        query = urllib.parse.urlencode({"op": op, **parameters}, doseq=True)
        return self.request("POST", "/v1/process?" + query, body, headers)

    def raw(self, timeout=20.0):
        """A connection to send any bytes on."""
        return HttpConnection(self.address, timeout=bound(timeout))

    def admin_address(self):
        host, _, port = self.wait_for_log("admin port open")["address"].rpartition(":")
        return host, int(port)

    def raw_admin(self):
        return HttpConnection(self.admin_address(), timeout=bound(20))

    def metrics(self):
        return Metrics(self.get("/metrics").body.decode())

    # Processes.

    @property
    def pid(self):
        return self.child.pid

    def spawner(self):
        (pid,) = processes.children(self.pid)
        return pid

    def workers(self):
        return processes.children(self.spawner())

    def whole_family(self, workers=2):
        """All processes below the server's: spawner, workers and the standby, which comes last."""

        def found():
            family = processes.descendants(self.pid)
            return family if len(family) == workers + 2 else None

        return eventually(found, "all processes run")

    def descriptor_count(self):
        return len(processes.descriptors(self.pid))

    # The log.

    def _read_log(self):
        for line in self.child.stderr:
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"message": line.rstrip("\n"), "level": "not JSON"}
            with self._logged:
                self.log.append(entry)
                self._logged.notify_all()
        with self._logged:
            self._stderr_over = True
            self._logged.notify_all()

    def wait_for_log(self, message, within=10.0):
        """The first log entry with that message, waiting for it."""

        def found():
            return next((e for e in self.log if e.get("message") == message), None)

        with self._logged:
            self._logged.wait_for(lambda: found() or self._stderr_over, timeout=bound(within))
            entry = found()
            if entry is None:
                raise AssertionError(f"no log line {message!r} among {self.log}")
            return entry

    # The end.

    def terminate(self):
        self.child.send_signal(signal.SIGTERM)

    def wait(self, within=20.0):
        """The exit code, waiting for it."""
        code = self.child.wait(timeout=bound(within))
        self._reader.join(timeout=bound(5))
        return code

    def stop(self):
        """SIGTERM; the server must end cleanly and leave no process behind."""
        if self.child.poll() is None:
            family = processes.descendants(self.pid)
            self.terminate()
            try:
                code = self.wait()
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"did not end on SIGTERM; its log: {self.log[-20:]}") from None
            if code != 0:
                raise AssertionError(f"ended with {code}; its log: {self.log[-20:]}")
            eventually(
                lambda: not any(map(processes.alive, family)), "no process is left behind", 5
            )
        self.child.stderr.close()

    def kill(self):
        self.child.kill()
        self.child.wait()
        self._reader.join(timeout=bound(5))
        self.child.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()


def pipeline_step(step):
    if isinstance(step, str):
        return {"op": step}
    name, parameters = step
    return {"op": name, **parameters}


class ServerTest(unittest.TestCase):
    """A server and an origin for all tests of a class; `settings` are the server's."""

    settings = {}
    testing = False

    @classmethod
    def setUpClass(cls):
        cls.origin = cls.enterClassContext(Origin())
        cls.server = cls.enterClassContext(Fetchmill(cls.settings, testing=cls.testing))

    def setUp(self):
        super().setUp()
        self.origin.wait_for_rest()

    def start(self, settings=None, testing=None, **how):
        """One more server, for this test only."""
        testing = self.testing if testing is None else testing
        return self.enterContext(Fetchmill(settings, testing=testing, **how))

    def need_image_ops(self):
        """Skips the test where the server is built without them."""
        if "image.info" not in {op["name"] for op in self.server.get("/v1/ops").json()["ops"]}:
            self.skipTest("built without the image ops")

    def assert_ok(self, response):
        self.assertEqual(response.status, 200, response)
        return response

    def assert_problem(self, response, code, **members):
        """The response is this error in the full RFC 9457 shape, and has these members."""
        status, retryable = ERRORS[code]
        if code == "upstream_status":
            retryable = response.json().get("upstream_status") in (429, 502, 503, 504)
        self.assertEqual(response.header("content-type"), "application/problem+json", response)
        problem = response.json()
        self.assertEqual((problem.get("code"), response.status), (code, status), response)
        self.assertEqual(problem["status"], status)
        self.assertEqual(problem["type"], f"/errors/{code}")
        self.assertIs(problem["retryable"], retryable)
        self.assertEqual(problem["request_id"], response.header("x-request-id"))
        for member in ("title", "detail", "instance", "request_id"):
            self.assertIsInstance(problem.get(member), str, f"{member} in {problem}")
            self.assertNotEqual(problem[member], "", member)
        self.assertEqual(response.header("cache-control"), "no-store")
        self.assertEqual(response.header("x-content-type-options"), "nosniff")
        for name, value in members.items():
            self.assertEqual(problem.get(name), value, f"{name} in {problem}")
        return problem


def need(is_there, why_not):
    """Skips a test, or in setUpClass its class, where something is missing. Where FETCHMILL_CORPORA
    is set, as in CI, nothing may be missing: it fails."""
    if is_there:
        return
    if os.environ.get("FETCHMILL_CORPORA"):
        raise AssertionError(why_not)
    raise unittest.SkipTest(why_not)


_reserved = []


def free_port():
    """A port nobody listens on, and nobody will but who is told: it stays this process's.

    A port that was bound to 0 and released is soon given to another test that runs beside this one.
    These are below those the kernel gives away, and a name that only one process can have keeps
    every other test from taking the same.
    """
    while True:
        port = random.randrange(20000, 30000)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0fetchmill-test-port-{port}")
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            name.close()
            continue
        _reserved.append(name)
        return port


def main():
    unittest.main(verbosity=2)
