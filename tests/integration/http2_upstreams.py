"""HTTP/2 upstreams from Debian's packages: nghttpd (nghttp2-server) and nginx, over TLS."""

import contextlib
import pathlib
import re
import socket
import subprocess
import tempfile

from harness import free_port
from processes import eventually


class _Server:
    """A server process on a port of its own, with a folder that it serves and logs to."""

    def __init__(self, certificates):
        self._folder = tempfile.TemporaryDirectory(prefix="fetchmill-http2-")
        self.folder = pathlib.Path(self._folder.name)
        self.folder.chmod(0o755)
        self.certificates = certificates
        self.port = free_port()
        self._log = open(self.folder / "log", "wb")
        self.start()

    def start(self):
        self._process = subprocess.Popen(
            self.command(), stdout=self._log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        eventually(self._listens, f"{self.command()[0]} listens; its log: {self.log()}")

    def _listens(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        return False

    def stop(self):
        self._process.kill()
        self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self._log.close()
        self._folder.cleanup()

    def url(self, target="/", host="127.0.0.1"):
        return f"https://{host}:{self.port}{target}"

    def write(self, name, data):
        (self.folder / name).write_bytes(data)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")


class Nghttpd(_Server):
    """Serves the files of its folder; its log names every connection and every field."""

    def __init__(self, certificates, *options):
        self._options = options
        super().__init__(certificates)

    def command(self):
        good = [self.certificates.path("good.key"), self.certificates.path("good.pem")]
        where = ["--address=127.0.0.1", f"--htdocs={self.folder}", str(self.port)]
        return ["nghttpd", "-v", *self._options, *where, *good]

    def connections(self):
        """The connections that carried requests."""
        return len({line.split("]")[0] for line in self.log().splitlines() if ":path:" in line})

    def paths(self):
        return re.findall(r":path: (\S+)", self.log())


class Nginx(_Server):
    """Answers every request with its path; ends each connection after `requests` of them."""

    def __init__(self, certificates, requests=1000):
        self._requests = requests
        super().__init__(certificates)

    def command(self):
        (self.folder / "nginx.conf").write_text(
            f"""daemon off; master_process off; pid {self.folder}/pid; error_log {self.folder}/log;
            events {{ worker_connections 512; }}
            http {{
              log_format paths "$connection $server_protocol $request_uri";
              access_log {self.folder}/access paths;
              client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
              fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
              scgi_temp_path {self.folder}/s;
              keepalive_requests {self._requests};
              server {{
                listen 127.0.0.1:{self.port} ssl http2;
                ssl_certificate {self.certificates.path("good.pem")};
                ssl_certificate_key {self.certificates.path("good.key")};
                location / {{ return 200 $request_uri; }}
              }}
            }}"""
        )
        return ["nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def requests(self):
        """(connection, protocol, path) of each request served."""
        lines = (self.folder / "access").read_text().splitlines()
        return [tuple(line.split(" ")) for line in lines]
