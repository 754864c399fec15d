"""A real nginx as an upstream, on a port of its own."""

import pathlib
import re
import signal
import subprocess
import tempfile
import threading

from harness import free_port
from http_client import HttpConnection
from processes import bound, eventually

CONFIGURATION = """
daemon off;
master_process on;
worker_processes 1;
worker_shutdown_timeout 10s;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{ worker_connections 4096; }}
http {{
  log_format requests "$connection $server_protocol $request_uri";
  access_log {folder}/access.log requests;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  types {{ application/json json; text/plain txt; }}
  default_type application/octet-stream;
  {http}
  server {{
    listen 127.0.0.1:{port} backlog=4096{listen};
    root {folder}/files;
    location = /status {{ stub_status; }}
    {server}
  }}
}}
"""


class Nginx:
    """`http` and `server` are added to those blocks; `certificates` makes it speak TLS."""

    def __init__(self, http="", server="", listen="", certificates=None):
        self._folder = tempfile.TemporaryDirectory(prefix="fetchmill-nginx-")
        self.folder = pathlib.Path(self._folder.name)
        # Started as root, its workers are nobody.
        self.folder.chmod(0o755)
        self.port = free_port()
        self.scheme = "http"
        (self.folder / "files").mkdir()
        if certificates:
            self.scheme = "https"
            listen += " ssl"
            http += f" ssl_certificate {certificates.path('good.pem')};"
            http += f" ssl_certificate_key {certificates.path('good.key')};"
        text = CONFIGURATION.format(
            folder=self.folder, port=self.port, http=http, server=server, listen=listen
        )
        (self.folder / "conf").write_text(text)
        self._start()

    def _start(self):
        self._process = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", str(self.folder), "-c", str(self.folder / "conf")],
            stderr=subprocess.DEVNULL,
        )
        eventually(self._accepts, f"nginx answers: see {self.folder}/error.log")

    def _accepts(self):
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "error.log").read_text())
        try:
            HttpConnection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def file(self, name, data):
        path = self.folder / "files" / name
        path.write_bytes(data)
        path.chmod(0o644)
        return self.url("/" + name)

    def url(self, target="/", host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}{target}"

    def accepted(self):
        """Connections taken so far, the one that asks excepted."""
        with HttpConnection(("127.0.0.1", self.port)) as connection:
            connection.send_request("GET", "/status")
            text = connection.read_response().body.decode()
        return int(re.search(r"\n (\d+) \d+ \d+", text)[1]) - 1

    def requests(self, target=None):
        """(connection, protocol, path) of each request served, once its answer is out."""
        lines = (self.folder / "access.log").read_text().splitlines()
        served = [tuple(line.split(" ")) for line in lines]
        return [one for one in served if target in (None, one[2])]

    def reload(self):
        """New workers; the old ones finish what they have, and close what is idle."""
        before = (self.folder / "error.log").read_text().count("start worker process ")
        self._process.send_signal(signal.SIGHUP)
        eventually(
            lambda: (self.folder / "error.log").read_text().count("start worker process ") > before,
            "nginx has new workers",
        )

    def restart(self):
        """Ends at once whatever is open, and starts again."""
        self.stop()
        self._start()

    def stop(self):
        self._process.terminate()
        self._process.wait(timeout=bound(10))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self.stop()
        self._folder.cleanup()


class Repeating:
    """Calls something again and again beside the test's own work."""

    def __init__(self, call, pause):
        self._call, self._pause = call, pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._ended.wait(self._pause):
            self._call()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
