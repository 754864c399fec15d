"""Upstreams for the server under test: the scriptable origin, and one that plays exact bytes."""

import os
import pathlib
import re
import socket
import struct
import subprocess
import tempfile
import threading
import time

from http_client import HttpConnection
from processes import eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORIGIN_BIN = os.environ.get("FETCHMILL_ORIGIN", str(ROOT / "build/release/tests/fetchmill-origin"))


class Certificates:
    """A folder with an authority and server certificates: good, expired, other, stranger."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="fetchmill-certificates-")
        script = ROOT / "tests/support/make_certificates.sh"
        subprocess.run([str(script), self._folder.name], check=True)
        self.ca_file = self.path("ca.pem")

    def path(self, name):
        return os.path.join(self._folder.name, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._folder.cleanup()


class Origin:
    """The origin server on free ports; with `certificate` ("good", …) also over TLS."""

    def __init__(self, certificates=None, certificate="good"):
        command = [ORIGIN_BIN, "--listen", "127.0.0.1:0"]
        if certificates:
            command += ["--tls-listen", "127.0.0.1:0"]
            command += ["--cert", certificates.path(certificate + ".pem")]
            command += ["--key", certificates.path(certificate + ".key")]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        ports = re.fullmatch(r"listening http=(\d+) https=(\d+)\n", line)
        if not ports:
            raise AssertionError(f"{ORIGIN_BIN} said {line!r}")
        self.port, self.tls_port = int(ports[1]), int(ports[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def url(self, target="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{target}"

    def tls_url(self, target="/", host="127.0.0.1"):
        return f"https://{host}:{self.tls_port}{target}"

    def get(self, target):
        """What the origin answers when asked directly."""
        with HttpConnection(("127.0.0.1", self.port)) as connection:
            connection.send_request("GET", target)
            return connection.read_response()

    def counters(self):
        return self.get("/counters").json()

    def reset_counters(self):
        self.get("/counters?reset=1")

    def open_requests(self):
        return self.counters()["requests"]["open"]

    def wait_for_rest(self):
        """A request ends here a little after its client has gone: a test that counts those that are
        open must not see the ones of the test before."""
        eventually(lambda: self.open_requests() == 0, "the requests of the test before end")


# What a RawUpstream does with a connection: a list of these, of bytes, which are sent as they are,
# and of functions, which are called.
READ = object()  # read one request head
CLOSE = object()
RESET = object()
HOLD = object()  # wait until the peer closes, or resets the connection for what it has not read


class Pieces:
    """Bytes sent in segments of `size`, a moment apart so that they arrive apart."""

    def __init__(self, data, size, pause=0.001):
        self.data, self.size, self.pause = data, size, pause


class Pause:
    def __init__(self, seconds):
        self.seconds = seconds


def answering(data):
    """The script of an upstream that reads a request, sends `data` and closes."""
    return [READ, data, CLOSE]


class RawUpstream:
    """A TCP server: its n-th connection plays the n-th script, later ones the last."""

    def __init__(self, *scripts):
        self._scripts = scripts
        self.heads = []  # request heads, as they came
        self.connections = 0
        self.closed_by_peer = 0
        self._open = []
        self._mine = threading.local()  # of a connection's thread
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # shutdown wakes the accepting thread; close alone would leave it waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def url(self, target="/", host="127.0.0.1"):
        return f"http://{host}:{self.port}{target}"

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                script = self._scripts[min(self.connections, len(self._scripts) - 1)]
                self.connections += 1
                self._open.append(connection)
            threading.Thread(target=self._play, args=(connection, script), daemon=True).start()

    def _play(self, connection, script):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for step in script:
                if not self._step(connection, step):
                    break
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.remove(connection)
            connection.close()

    def _receive(self, connection):
        """What comes; nothing when the peer has closed, which is counted."""
        try:
            data = connection.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            with self._lock:
                self.closed_by_peer += 1
        return data

    def _step(self, connection, step):
        if step is READ:
            head = b""
            while b"\r\n\r\n" not in head:
                data = self._receive(connection)
                if not data:
                    return False
                head += data
            self.heads.append(head)
            self._mine.head = head
        elif step is HOLD:
            while self._receive(connection):
                pass
        elif step is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        elif step is CLOSE:
            # A FIN, then reading until the peer closes: unread bytes would turn it into a RST.
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
            return False
        elif isinstance(step, Pause):
            time.sleep(step.seconds)
        elif isinstance(step, Pieces):
            for at in range(0, len(step.data), step.size):
                connection.sendall(step.data[at : at + step.size])
                time.sleep(step.pause)
        elif callable(step):
            step()
        else:
            connection.sendall(step)
        return True


class AnsweringUpstream(RawUpstream):
    """Answers each request with what `answer(head, number)` gives, counting from 1; None closes."""

    def __init__(self, answer):
        self._answer = answer
        self._requests = 0
        super().__init__([])

    def _play(self, connection, script):
        def answers():
            while True:
                yield READ
                with self._lock:
                    self._requests += 1
                    number = self._requests
                yield self._answer(self._mine.head.decode(), number) or CLOSE

        super()._play(connection, answers())
