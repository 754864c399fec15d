"""TLS: whole fetches; with openssl's own server versions, client certificates, session resumption."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import tempfile

import harness
from harness import ServerTest, free_port
from processes import eventually
from test_fetch import sent_fields
from upstreams import Certificates, Origin


class Tls(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.certificates = cls.enterClassContext(Certificates())
        cls.settings = {"fetch.ca_file": cls.certificates.ca_file}
        super().setUpClass()
        cls.tls_origin = cls.enterClassContext(Origin(cls.certificates))

    def test_https_by_address_and_by_name(self):
        for host in ("127.0.0.1", "localhost"):
            with self.subTest(host=host):
                url = self.tls_origin.tls_url("/json?records=1", host)
                self.assertEqual(len(self.assert_ok(self.server.fetch(url)).json()), 1)

    def test_bodies_over_tls(self):
        expected = self.origin.get("/bytes?n=1000000").body
        for target in ("/bytes?n=1000000", "/chunked?n=1000000&chunk=10000", "/close?n=1000000"):
            with self.subTest(target=target):
                response = self.server.fetch(self.tls_origin.tls_url(target))
                self.assertEqual(self.assert_ok(response).body, expected)

    def test_tls_connections_are_reused(self):
        self.tls_origin.reset_counters()
        for _ in range(5):
            self.assert_ok(self.server.fetch(self.tls_origin.tls_url("/json")))
        self.assertLessEqual(self.tls_origin.counters()["tls_connections"], 1)

    def test_certificates_that_must_not_be_trusted(self):
        for certificate in ("expired", "other", "stranger"):
            with self.subTest(certificate), Origin(self.certificates, certificate) as origin:
                response = self.server.fetch(origin.tls_url("/json"))
                self.assert_problem(response, "tls_failed", stage="fetch")
                self.assertEqual(origin.counters()["requests"]["total"], 0)

    def test_without_our_authority(self):
        server = self.start({"fetch.ca_file": None})
        self.assert_problem(server.fetch(self.tls_origin.tls_url("/json")), "tls_failed")

    def test_redirects_between_http_and_https(self):
        url = self.origin.url("/redirect?to=" + self.tls_origin.tls_url("/echo"))
        self.assert_ok(self.server.fetch(url))
        url = self.tls_origin.tls_url("/redirect?to=" + self.origin.url("/echo"))
        response = self.server.fetch(url, headers={"Authorization": "Bearer s"})
        self.assertNotIn("authorization", dict(sent_fields(self.assert_ok(response))))

    def test_a_cut_tls_stream_is_not_a_whole_body(self):
        # Without a close_notify, an ended connection does not end a body: anyone could have cut it.
        response = self.server.fetch(self.tls_origin.tls_url("/short?declare=1000&send=10"))
        self.assert_problem(response, "upstream_protocol")


class OpensslServer:
    """`openssl s_server -www`: answers every request with what it knows of the connection."""

    def __init__(self, certificates, *options, certificate="good"):
        self.port = free_port()
        self._process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-www"]
            + ["-cert", certificates.path(certificate + ".pem")]
            + ["-key", certificates.path(certificate + ".key"), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._listens, "openssl s_server listens")

    def _listens(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def url(self):
        return f"https://127.0.0.1:{self.port}/"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()


class TlsTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.certificates = cls.enterClassContext(Certificates())
        cls.settings = {"fetch.ca_file": cls.certificates.ca_file, "fetch.retries": 0}
        super().setUpClass()

    def upstream(self, *options, **how):
        return self.enterContext(OpensslServer(self.certificates, *options, **how))

    def failure(self, server, upstream, error=None):
        """The words of a refusal; `error`: its type in Proxy-Status."""
        response = server.fetch(upstream.url())
        if error is not None:
            self.assertEqual(response.header("proxy-status"), f"fetchmill; error={error}")
        return self.assert_problem(response, "tls_failed")["detail"]


class Versions(TlsTest):
    def test_1_2_and_1_3_are_spoken(self):
        for option, version in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            with self.subTest(version):
                body = self.assert_ok(self.server.fetch(self.upstream(option).url())).body
                self.assertIn(version.encode(), body)

    def test_older_ones_are_not(self):
        for option in ("-tls1", "-tls1_1"):
            with self.subTest(option):
                upstream = self.upstream(option, "-cipher", "ALL:@SECLEVEL=0")
                self.assertRegex(self.failure(self.server, upstream), "no TLS of version 1.2")


class Failures(TlsTest):
    def test_each_has_its_words(self):
        for certificate, words in (
            ("expired", "the certificate has expired"),
            ("other", "the certificate is for another name"),
            ("stranger", "the certificate's issuer is unknown"),
            ("nobody", "the certificate is self-signed and not trusted"),
        ):
            with self.subTest(certificate):
                upstream = self.upstream(certificate=certificate)
                said = self.failure(self.server, upstream, "tls_certificate_error")
                self.assertRegex(said, words)


class Sessions(TlsTest):
    def test_they_are_resumed(self):
        # It closes after every answer, so each fetch makes a connection of its own.
        for option in ("-tls1_2", "-tls1_3"):
            with self.subTest(option):
                upstream = self.upstream(option)
                bodies = [self.assert_ok(self.server.fetch(upstream.url())).body for _ in "12"]
                self.assertRegex(bodies[0], b"\nNew, TLSv1")
                self.assertRegex(bodies[1], b"\nReused, TLSv1")


class ClientCertificates(TlsTest):
    def start_with(self, match, certificate="client", key="client"):
        return self.start(
            self.settings
            | {
                "origins.bank.match": match,
                "origins.bank.client_certificate_file": self.certificates.path(
                    certificate + ".pem"
                ),
                "origins.bank.client_key_file": self.certificates.path(key + ".key"),
            }
        )

    def test_who_insists_gets_one_where_the_operator_says_so(self):
        ca = ("-CAfile", self.certificates.ca_file, "-verify_return_error")
        for option in ("-tls1_2", "-tls1_3"):
            with self.subTest(option):
                upstream = self.upstream(option, "-Verify", "2", *ca)
                listed = self.start_with(upstream.url().rstrip("/"))
                body = self.assert_ok(listed.fetch(upstream.url())).body
                self.assertRegex(body, rb"(?s)Client certificate\n.*client")
                elsewhere = self.start_with("https://bank.example")
                said = self.failure(elsewhere, upstream, "tls_alert_received")
                self.assertRegex(said, "certificate|handshake")

    def test_mistakes_end_the_start(self):
        client = self.certificates.path("client.pem")
        settings = {
            "server.listen": "127.0.0.1:0",
            "workers.count": 1,
            "workers.region_mb": 64,
            "origins.bank.match": "https://bank.example",
            "origins.bank.client_certificate_file": client,
            "origins.bank.client_key_file": self.certificates.path("good.key"),
        }
        for command in ("serve", "check-config"):
            ended = harness.run_command(command, *harness.setting_flags(settings))
            self.assertEqual(ended.returncode, 2, ended.stderr)
            self.assertRegex(
                ended.stderr, "is not the key of the certificate in " + re.escape(client)
            )
            self.assertIn("origins.bank.client_key_file", ended.stderr)
        del settings["origins.bank.client_key_file"]
        ended = harness.run_command("check-config", *harness.setting_flags(settings))
        self.assertEqual(ended.returncode, 2, ended.stderr)

    def test_all_files_that_cannot_be_used_are_listed(self):
        settings = {
            "fetch.ca_file": "/nonexistent/ca.pem",
            "origins.bank.match": "https://bank.example",
            "origins.bank.ca_file": self.certificates.path("good.key"),
            "origins.bank.client_certificate_file": "/nonexistent/client.pem",
            "origins.bank.client_key_file": self.certificates.path("good.key"),
            "workers.count": "many",
        }
        for command in ("serve", "check-config"):
            ended = harness.run_command(command, *harness.setting_flags(settings))
            self.assertEqual(ended.returncode, 2, ended.stderr)
            for part in ("--fetch.ca_file: fetch.ca_file: expected a PEM file that can be used",
                         "/nonexistent/ca.pem", "origins.bank.ca_file: expected",
                         "origins.bank.client_certificate_file: expected",
                         "/nonexistent/client.pem", "workers.count = many"):
                self.assertIn(part, ended.stderr)

    def test_entries_are_read_from_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "fetchmill.toml")
            pathlib.Path(file).write_text('[origins.a]\nmatch = ["https://a.example"]\nrate = 5\n')
            printed = harness.run_command("print-config", "--config", file)
            self.assertIn('[origins.a]\nmatch = ["https://a.example"]\n', printed.stdout)


if __name__ == "__main__":
    harness.main()
