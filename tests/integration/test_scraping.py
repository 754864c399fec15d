"""APIs as scrape targets: deploy/scraping as it stands, with promtool and a real Prometheus."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import ServerTest, free_port
from http_client import ConnectionOver, HttpConnection
from processes import eventually
from upstreams import ROOT

FOLDER = ROOT / "deploy/scraping"
EXPECTED = b"""\
# HELP record_score The record's score.
# TYPE record_score gauge
record_score{id="0",lang="en",source="demo"} 0
record_score{id="1",lang="fr",source="demo"} 9.25
# HELP record_active Whether the record is in use.
# TYPE record_active gauge
record_active{id="0"} 1
record_active{id="1"} 0
"""


class Prometheus:
    """A Prometheus that scrapes by a configuration, every second."""

    def __init__(self, configuration):
        self._folder = tempfile.TemporaryDirectory(prefix="fetchmill-prometheus-")
        self.folder = pathlib.Path(self._folder.name)
        file = self.folder / "prometheus.yml"
        file.write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n" + configuration
        )
        self.port = free_port()
        self.log = (self.folder / "log").open("w")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=self.log,
            stderr=self.log,
            cwd=self.folder,
        )

    def query(self, text):
        """[(labels, value)] of an instant query; nothing while it does not answer."""
        try:
            with HttpConnection(("127.0.0.1", self.port)) as connection:
                connection.send_request("GET", f"/api/v1/query?query={text}")
                answer = connection.read_response()
        except (OSError, ConnectionOver):
            return []
        if answer.status != 200:
            return []
        return [(row["metric"], row["value"][1]) for row in answer.json()["data"]["result"]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self.log.close()
        self._folder.cleanup()


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
class Scraping(ServerTest):
    settings = {"config": FOLDER / "fetchmill.toml"}

    def test_what_is_scraped(self):
        url = self.origin.url("/json?records=2")
        response = self.server.get("/v1/fetch", url=url, pipeline="records")
        self.assertEqual((response.status, response.body), (200, EXPECTED))
        self.assertEqual(
            response.header("content-type"), "text/plain; version=0.0.4; charset=utf-8"
        )
        checked = subprocess.run(
            ["promtool", "check", "metrics"],
            input=response.body,
            capture_output=True,
            check=False,
        )
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, b"", b""))

    def test_a_real_prometheus(self):
        configuration = (FOLDER / "prometheus.yml").read_text()
        for there, here in (
            ("http://127.0.0.1:8081/", self.origin.url("/")),
            ("127.0.0.1:8080", f"127.0.0.1:{self.server.address[1]}"),
        ):
            self.assertIn(there, configuration)
            configuration = configuration.replace(there, here)
        with Prometheus(configuration) as prometheus:

            def scraped():
                is_up = [value for _, value in prometheus.query("up")] == ["1"]
                return is_up and prometheus.query("record_score")

            rows = eventually(scraped, "a scrape that Prometheus keeps", 30)
        self.assertEqual(
            sorted((row["id"], row["instance"], value) for row, value in rows),
            [
                (str(id), self.origin.url("/json?records=3"), value)
                for id, value in enumerate(("0", "9.25", "18.5"))
            ],
        )


if __name__ == "__main__":
    harness.main()
