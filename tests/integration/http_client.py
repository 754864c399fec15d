"""A small HTTP/1.1 client that hides nothing: exact bytes out, exact responses in."""

import json
import socket
import struct
import time


class Response:
    """One response: `status`, `headers` (lower-case names, in order) and `body`."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name):
        """The field's value; None when absent, an error when repeated."""
        values = [value for key, value in self.headers if key == name.lower()]
        if len(values) > 1:
            raise AssertionError(f"{name} stands {len(values)} times in {self}")
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:500]!r}>"


class ConnectionOver(Exception):
    """The peer closed, in the middle of a response or before one."""


class HttpConnection:
    """One TCP connection: send any bytes, read responses one by one."""

    def __init__(self, address, timeout=20.0):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST, as a crashing client does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_pieces(self, data, size, pause=0.0):
        """Sends `data` in segments of `size` bytes; stops quietly once the peer has closed."""
        try:
            for at in range(0, len(data), size):
                self.socket.sendall(data[at : at + size])
                if pause:
                    time.sleep(pause)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send_request(self, method, target, body=None, headers=None):
        lines = [f"{method} {target} HTTP/1.1"]
        fields = {"Host": "%s:%d" % self.socket.getpeername()[:2], **(headers or {})}
        if body is not None:
            fields.setdefault("Content-Length", str(len(body)))
        lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    def read_response(self, to_head=False, interim=False):
        """The next response; `to_head`: it answers a HEAD; `interim`: take 1xx as a response."""
        while True:
            head = self._until(b"\r\n\r\n").decode("latin-1")
            status_line, *lines = head.split("\r\n")
            status = int(status_line.split(" ")[1])
            headers = []
            for line in lines:
                name, _, value = line.partition(":")
                headers.append((name.lower(), value.strip(" \t")))
            if status >= 200 or interim:
                break
        if to_head or status < 200 or status in (204, 304):
            return Response(status, headers, b"")
        return Response(status, headers, self._body(dict(headers)))

    def read_chunk(self):
        """The next chunk of a chunked body; empty at its end."""
        size = int(self._until(b"\r\n").split(b";")[0], 16)
        data = self._exactly(size)
        self._until(b"\r\n")
        return data

    def read_until(self, mark):
        """Everything up to `mark`, without it: for looking into a body still arriving."""
        return self._until(mark)

    def read_to_end(self):
        """What is left until the peer closes; a RST counts as the end."""
        try:
            while self._more():
                pass
        except ConnectionResetError:
            pass
        rest, self._buffer = self._buffer, b""
        return rest

    def _body(self, headers):
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(iter(self.read_chunk, b""))
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        return self.read_to_end()

    def _more(self):
        data = self.socket.recv(65536)
        self._buffer += data
        return bool(data)

    def _until(self, mark):
        while mark not in self._buffer:
            if not self._more():
                raise ConnectionOver(f"closed after {self._buffer[:500]!r}")
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _exactly(self, size):
        pieces, missing = [self._buffer[:size]], size - len(self._buffer[:size])
        self._buffer = self._buffer[size:]
        while missing > 0:
            data = self.socket.recv(min(missing, 1 << 20))
            if not data:
                raise ConnectionOver(f"closed with {missing} bytes of the body missing")
            pieces.append(data)
            missing -= len(data)
        return b"".join(pieces)
