"""The clients people have: curl, Python's requests, httpx and aiohttp, Node's fetch.

The ones in other programs stand in clients/. Python's are Debian's, so Debian's Python runs them.
"""

import gzip
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import ServerTest, clean_environment
from processes import bound

CLIENTS = pathlib.Path(__file__).resolve().parent / "clients"
PYTHON = "/usr/bin/python3"
# How long curl waits before it sends a body that nobody asked for.
PATIENCE_S = 60
PATIENT = ("--expect100-timeout", str(PATIENCE_S))


def has_module(name):
    found = subprocess.run([PYTHON, "-c", f"import {name}"], capture_output=True, check=False)
    return found.returncode == 0


class Clients(ServerTest):
    def run_client(self, *command):
        environment = {
            "API": "http://%s:%d" % self.server.address,
            "ORIGIN": self.origin.url(""),
            "NO_PROXY": "*",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        result = subprocess.run(
            command,
            env=clean_environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=bound(60),
            check=False,
        )
        self.assertEqual(result.returncode, 0, result.stdout)

    def run_python(self, module):
        if not has_module(module):
            self.skipTest(f"there is no python3-{module}")
        self.run_client(PYTHON, CLIENTS / f"{module}_client.py", "-v")

    def test_requests(self):
        self.run_python("requests")

    def test_httpx(self):
        self.run_python("httpx")

    def test_aiohttp(self):
        self.run_python("aiohttp")

    @unittest.skipUnless(shutil.which("node"), "there is no node")
    def test_node(self):
        self.run_client("node", "--test", CLIENTS / "node_client.mjs")


class Curl(ServerTest):
    def curl(self, *arguments, data=None):
        """Standard output; `%` at the front of an argument is the server's address."""
        api = "http://%s:%d" % self.server.address
        result = subprocess.run(
            ["curl", "-sS", *(api + a[1:] if a.startswith("%/") else a for a in arguments)],
            input=data,
            capture_output=True,
            timeout=bound(60),
            env=clean_environment({"NO_PROXY": "*"}),
            check=False,
        )
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode()

    def test_one_connection_for_several(self):
        urls = ["%/livez", "%/v1/ops", "%/nowhere", "%/readyz"]
        out = self.curl(*urls, "-w", "\n%{http_code} %{num_connects}\n")
        said = [line for line in out.splitlines() if line[:3].isdigit()]
        self.assertEqual(said, ["200 1", "200 0", "404 0", "200 0"])

    def test_head(self):
        head = self.curl("-I", "%/v1/fetch?url=" + self.origin.url("/bytes%3Fn=1000"))
        self.assertIn("HTTP/1.1 200 OK\r\n", head)
        self.assertIn("Content-Length: 1000\r\n", head)

    def test_a_large_body_waits_to_be_asked_for(self):
        """curl sends Expect: 100-continue, and waits for so long when nobody answers it."""
        out = self.curl(
            "%/v1/process?op=hash&algorithm=crc32", "--data-binary", "@-", "-w", " %{time_total}",
            "-H", "Content-Type: text/plain", *PATIENT, data=b"a" * 3_000_000,
        )
        digest, seconds = out.split()
        self.assertEqual(len(digest), 8)
        self.assertLess(float(seconds), PATIENCE_S)

    def test_a_body_that_is_too_large_is_not_sent(self):
        out = self.curl(
            "%/v1/process?op=hash", "-H", "Content-Type: text/plain", "--data-binary", "@-",
            "-o", "/dev/null", "-w", "%{http_code} %{size_upload}", *PATIENT,
            data=bytes(20_000_000),
        )
        self.assertEqual(out, "413 0")

    def test_a_packed_task_is_refused(self):
        task = gzip.compress(json.dumps({"url": self.origin.url("/json")}).encode())
        out = self.curl(
            "%/v1/fetch", "-H", "Content-Type: application/json", "-H", "Content-Encoding: gzip",
            "--data-binary", "@-", "-w", "\n%{http_code}", data=task,
        )
        self.assertEqual(out.splitlines()[-1], "415")

    def test_lines_from_a_pipe(self):
        lines = "".join(self.origin.url(f"/text?text={n}\n") for n in range(2000)).encode()
        for how in (["-T", "-", "-X", "POST"], ["--data-binary", "@-"]):
            with self.subTest(how):
                out = self.curl(
                    "-N", "%/v1/batch?order=input", "-H", "Content-Type: text/plain", *how,
                    data=lines,
                )
                *outcomes, summary = map(json.loads, out.splitlines())
                self.assertEqual([o["text"] for o in outcomes], [str(n) for n in range(2000)])
                self.assertEqual(summary["ok"], 2000)

    def test_events(self):
        tasks = json.dumps({"tasks": [{"url": self.origin.url("/json")}]})
        out = self.curl("-N", "%/v1/batch", "--json", tasks, "-H", "Accept: text/event-stream")
        self.assertTrue(out.startswith("event: outcome\n"), out)

    def test_parallel_transfers(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        url = "%/v1/fetch?op=hash&url=" + self.origin.url("/bytes%3Fn=") + "[1-50]"
        self.curl("-Z", url, "-o", os.path.join(folder, "#1"))
        self.assertEqual(len(os.listdir(folder)), 50)

    def test_other_versions_of_http(self):
        for version, expected in (("--http1.0", "1.1"), ("--http2", "1.1")):
            written = "%{http_code} %{http_version}"
            out = self.curl(version, "%/livez", "-o", "/dev/null", "-w", written)
            self.assertEqual(out, f"200 {expected}", version)


if __name__ == "__main__":
    harness.main()
