"""Fetching through a proxy: a real one, one that plays exact bytes, and what it must not be told."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import harness
from harness import ServerTest, free_port
from name_server import Answer, NameServer, address
from processes import eventually
from upstreams import CLOSE, READ, Certificates, Origin, RawUpstream

TINYPROXY = shutil.which("tinyproxy")


class Tinyproxy:
    """tinyproxy on a free loopback port, for whoever knows `credentials` ("user password")."""

    def __init__(self, credentials=""):
        self._folder = tempfile.TemporaryDirectory(prefix="fetchmill-proxy-")
        self._log = pathlib.Path(self._folder.name, "log")
        self.port = free_port()
        settings = pathlib.Path(self._folder.name, "tinyproxy.conf")
        settings.write_text(
            f'Port {self.port}\nListen 127.0.0.1\nLogFile "{self._log}"\nLogLevel Connect\n'
            + (f"BasicAuth {credentials}\n" if credentials else "")
        )
        self._process = subprocess.Popen(
            [TINYPROXY, "-d", "-c", str(settings)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._listens, "tinyproxy listens")

    def _listens(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def requests(self):
        """The request lines it was sent."""
        lines = self._log.read_text(errors="replace").splitlines()
        return [line.partition("): ")[2] for line in lines if "Request (file" in line]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()


class RealProxy(ServerTest):
    @classmethod
    def setUpClass(cls):
        harness.need(TINYPROXY, "tinyproxy is not installed")
        cls.certificates = cls.enterClassContext(Certificates())
        cls.proxy = cls.enterClassContext(Tinyproxy("user secret"))
        cls.settings = {
            "fetch.ca_file": cls.certificates.ca_file,
            "fetch.proxy": f"http://user:secret@127.0.0.1:{cls.proxy.port}",
            "fetch.retries": 0,
        }
        super().setUpClass()
        cls.tls_origin = cls.enterClassContext(Origin(cls.certificates))

    def test_http_and_https_by_address_and_by_name(self):
        for host in ("127.0.0.1", "localhost"):
            for url in (self.origin.url("/echo", host), self.tls_origin.tls_url("/json", host)):
                with self.subTest(url=url):
                    self.assert_ok(self.server.fetch(url))
        requests = self.proxy.requests()
        self.assertGreater(len(requests), 3)
        for line in requests:
            self.assertRegex(line, r"^CONNECT (127\.0\.0\.1|\[::1\]):\d+ HTTP/1\.1$")

    def test_the_host_is_the_urls(self):
        echo = self.assert_ok(self.server.fetch(self.origin.url("/echo", "localhost"))).json()
        self.assertIn(f"localhost:{self.origin.port}", str(echo))
        self.assertNotIn("Proxy", str(echo))

    def test_large_bodies_and_reuse(self):
        before = len(self.proxy.requests())
        expected = self.origin.get("/bytes?n=3000000").body
        for _ in range(5):
            response = self.server.fetch(self.tls_origin.tls_url("/bytes?n=3000000"))
            self.assertEqual(self.assert_ok(response).body, expected)
        self.assertLessEqual(len(self.proxy.requests()) - before, 1)

    def test_an_upstream_that_cannot_be_reached(self):
        response = self.server.fetch(f"http://127.0.0.1:{free_port()}/")
        problem = self.assert_problem(response, "connect_failed", stage="fetch")
        self.assertRegex(problem["detail"], "the proxy refused the tunnel with status 5")

    def test_wrong_credentials(self):
        server = self.start(
            {"fetch.proxy": f"http://user:wrong-one@127.0.0.1:{self.proxy.port}"}
        )
        response = server.fetch(self.origin.url())
        problem = self.assert_problem(response, "connect_failed", stage="fetch")
        self.assertRegex(problem["detail"], "status 40[17]")
        self.assertNotIn("wrong-one", str(problem) + str(server.log))


class Rules(ServerTest):
    """What is refused is refused before the proxy hears of it."""

    @classmethod
    def setUpClass(cls):
        # Counts connections; grants every tunnel and answers in it.
        body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
        cls.script = [READ, b"HTTP/1.1 200 OK\r\n\r\n", READ, body, CLOSE]
        super().setUpClass()

    def start_with(self, names=None, **settings):
        self.proxy = self.enterContext(RawUpstream(self.script))
        self.names = self.enterContext(NameServer(names or {}))
        return self.start(
            {
                "fetch.proxy": f"http://127.0.0.1:{self.proxy.port}",
                "fetch.dns_servers": self.names.address,
                "fetch.allow_networks": ["192.0.2.0/24"],
                "fetch.retries": 0,
            }
            | settings
        )

    def test_names_and_addresses_are_judged_here(self):
        inside = Answer(address("in.test", 60, "192.0.2.1") + address("in.test", 60, "10.0.0.1"))
        server = self.start_with({"in.test": inside})
        for url in ("http://10.0.0.1/", "http://in.test/", f"http://127.0.0.1:{self.proxy.port}/"):
            with self.subTest(url=url):
                self.assert_problem(server.fetch(url), "address_denied")
        self.assert_problem(server.fetch("http://nowhere.test/"), "dns_failed")
        self.assertEqual(self.proxy.connections, 0)

    def test_the_proxy_is_told_an_address_and_never_a_name(self):
        server = self.start_with({"a.test": Answer(address("a.test", 60, "192.0.2.7"))})
        self.assertEqual(self.assert_ok(server.fetch("http://a.test/x")).body, b"hi")
        connect, request = self.proxy.heads
        self.assertEqual(
            connect, b"CONNECT 192.0.2.7:80 HTTP/1.1\r\nHost: 192.0.2.7:80\r\n\r\n"
        )
        self.assertTrue(request.startswith(b"GET /x HTTP/1.1\r\nHost: a.test\r\n"), request)

    def test_the_next_address_is_tried_where_one_cannot_be_reached(self):
        self.script = [READ, b"HTTP/1.1 502 Bad Gateway\r\n\r\n", CLOSE]
        two = Answer(address("a.test", 60, "192.0.2.7") + address("a.test", 60, "192.0.2.8"))
        server = self.start_with({"a.test": two})
        self.assert_problem(server.fetch("http://a.test/"), "connect_failed")
        asked = sorted(head.split()[1] for head in self.proxy.heads)
        self.assertEqual(asked, [b"192.0.2.7:80", b"192.0.2.8:80"])

    def test_lists_of_hosts_hold(self):
        server = self.start_with(**{"fetch.deny_hosts": ["*.test"], "fetch.schemes": ["http"]})
        self.assert_problem(server.fetch("http://a.test/"), "url_denied")
        self.assert_problem(server.fetch("https://192.0.2.7/"), "url_denied")
        metrics = server.metrics()
        for reason in ("host", "scheme"):
            self.assertEqual(metrics.value("fetch_denied_total", reason=reason), 1)
        self.assertEqual(self.proxy.connections, 0)


class Environment(ServerTest):
    def test_proxy_variables_are_not_looked_at(self):
        with RawUpstream([READ, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]) as proxy:
            url = f"http://127.0.0.1:{proxy.port}"
            names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
            variables = {n: url for name in names for n in (name, name.lower())}
            server = self.start(environment=variables)
            self.assert_ok(server.fetch(self.origin.url("/echo")))
            self.assertEqual(proxy.connections, 0)

    def test_the_proxy_comes_from_a_file_and_is_not_printed(self):
        with tempfile.TemporaryDirectory() as folder, RawUpstream([CLOSE]) as proxy:
            file = os.path.join(folder, "proxy")
            pathlib.Path(file).write_text(f"http://user:hunter2@127.0.0.1:{proxy.port}\n")
            variables = {"FETCHMILL_FETCH_PROXY_FILE": file}
            printed = harness.run_command("print-config", environment=variables)
            self.assertIn('\n# proxy = "(not shown)"\n', printed.stdout)
            self.assertNotIn("hunter2", printed.stdout + printed.stderr)
            server = self.start({"fetch.retries": 0}, environment=variables)
            self.assert_problem(server.fetch(self.origin.url()), "connect_failed")
            eventually(lambda: proxy.connections == 1, "the proxy was asked")
            self.assertNotIn("hunter2", str(server.log))


if __name__ == "__main__":
    harness.main()
