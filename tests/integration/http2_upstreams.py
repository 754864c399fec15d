"""nghttpd, of Debian's nghttp2-server, as an upstream that speaks HTTP/2 over TLS."""

import contextlib
import pathlib
import re
import socket
import subprocess
import tempfile

from harness import free_port
from processes import eventually


class Nghttpd:
    """Serves the files of its folder; its log names every connection and every field."""

    def __init__(self, certificates, *options):
        self._options = options
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

    def command(self):
        good = [self.certificates.path("good.key"), self.certificates.path("good.pem")]
        where = ["--address=127.0.0.1", f"--htdocs={self.folder}", str(self.port)]
        return ["nghttpd", "-v", *self._options, *where, *good]

    def connections(self):
        """The connections that carried requests."""
        return len({line.split("]")[0] for line in self.log().splitlines() if ":path:" in line})

    def paths(self):
        return re.findall(r":path: (\S+)", self.log())
