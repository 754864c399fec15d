"""What systemd is to a service: a real NOTIFY_SOCKET."""

import socket

from processes import bound


class Manager:
    """A socket that is told; `address` is what NOTIFY_SOCKET holds."""

    def __init__(self, address):
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(bound(20))
        self._socket.bind(address.replace("@", "\0", 1))
        self.environment = {"NOTIFY_SOCKET": address}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def message(self, but=None):
        """The next one, as {name: value}; those that begin with `but` are passed over."""
        while True:
            lines = self._socket.recv(4096).decode().split("\n")
            if but is None or not lines[0].startswith(but):
                return dict(line.split("=", 1) for line in lines)

    def is_silent(self, seconds):
        """Whether nothing comes for so long."""
        self._socket.settimeout(seconds)
        try:
            self.message()
            return False
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(bound(20))
