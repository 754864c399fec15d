"""A name server for the server under test: scripted answers over UDP and TCP on one port."""

import socket
import struct
import threading

A, CNAME, SOA, AAAA = 1, 5, 6, 28
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def encoded(name):
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(name, kind, ttl, data):
    return encoded(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def address(name, ttl, *texts):
    """A or AAAA records of a name; a question is answered with those of its own type."""
    forms = [(AAAA, socket.AF_INET6) if ":" in text else (A, socket.AF_INET) for text in texts]
    return [
        (kind, record(name, kind, ttl, socket.inet_pton(family, text)))
        for (kind, family), text in zip(forms, texts)
    ]


def alias(name, ttl, target):
    return [(CNAME, record(name, CNAME, ttl, encoded(target)))]


def start_of_authority(zone, ttl, minimum):
    data = encoded("ns." + zone) + encoded("admin." + zone) + struct.pack("!5I", *[1] * 4, minimum)
    return record(zone, SOA, ttl, data)


class Answer:
    """What is said to one question: records, or a code, and how.

    `negative_ttl` adds the zone's SOA record; `truncated` cuts it over UDP; `when` is an Event that
    is waited for first; `ipv6` says of AAAA that it is answered "first", before A, or "never".
    NEVER is no answer at all.
    """

    def __init__(
        self, *records, code=NOERROR, negative_ttl=None, truncated=False, when=None, ipv6=None
    ):
        self.records = [one for group in records for one in group]
        self.code = code
        self.negative_ttl = negative_ttl
        self.truncated = truncated
        self.when = when
        self.ipv6 = ipv6
        self.ipv6_answered = threading.Event()

    def holds_back(self, kind):
        """Whether a question is not answered; waits where another is answered before it."""
        if self.when and not self.when.wait(timeout=60):
            return True
        if self.ipv6 == "first" and kind == A:
            return not self.ipv6_answered.wait(timeout=60)
        return self.ipv6 == "never" and kind == AAAA


NEVER = object()
NO_SUCH_NAME = Answer(code=NXDOMAIN)


class NameServer:
    """Answers by `names`: {name: Answer, or a list of them, one a question until the last}.

    The list is walked for A and AAAA apart. A name not listed does not exist.
    """

    def __init__(self, names):
        self._names = names
        self._lock = threading.Lock()
        self._questions = []  # (name, type, "udp" or "tcp")
        self._settled = set()  # what is not a new question when it comes again
        self._stopped = threading.Event()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tcp = self._listen()
        self.port = self._tcp.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _listen(self):
        """Takes a port that is free for both: of TCP's free ones any may be in use for UDP."""
        while True:
            listener = socket.create_server(("127.0.0.1", 0))
            try:
                self._udp.bind(listener.getsockname())
                return listener
            except OSError:
                listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopped.set()
        # An empty datagram and a shutdown wake the two threads.
        self._udp.sendto(b"", ("127.0.0.1", self.port))
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()

    def asked(self, name, kind=None, over=None):
        """How often that was asked."""
        with self._lock:
            return sum(
                one == name and kind in (None, its_kind) and over in (None, its_way)
                for one, its_kind, its_way in self._questions
            )

    def _serve_udp(self):
        while True:
            query, client = self._udp.recvfrom(4096)
            if self._stopped.is_set():
                self._udp.close()
                return
            threading.Thread(target=self._answer_udp, args=(query, client), daemon=True).start()

    def _answer_udp(self, query, client):
        def send(answer):
            if not self._stopped.is_set():
                self._udp.sendto(answer, client)

        self._answer(query, "udp", send)

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_tcp, args=(connection,), daemon=True).start()

    def _answer_tcp(self, connection):
        with connection, connection.makefile("rb") as stream:
            while len(head := stream.read(2)) == 2:
                query = stream.read(int.from_bytes(head, "big"))
                send = lambda answer: connection.sendall(  # noqa: E731
                    len(answer).to_bytes(2, "big") + answer
                )
                self._answer(query, "tcp", send)

    def _answer(self, query, way, send):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, (kind,) = ".".join(labels), struct.unpack_from("!H", query, at + 1)
        this = (query[:2], name, kind, way)
        with self._lock:
            said = self._names.get(name, NO_SUCH_NAME)
            # Who waits for an answer for two seconds sends the question once more.
            is_repeated = this in self._settled
            if isinstance(said, list):
                before = sum((name, kind) == one[:2] for one in self._questions) - is_repeated
                said = said[min(before, len(said) - 1)]
            if not is_repeated:
                self._questions.append((name, kind, way))
            if said is NEVER or said.code in (NOERROR, NXDOMAIN):
                self._settled.add(this)
        if said is NEVER or said.holds_back(kind):
            return
        question = query[12 : at + 5]
        send(self._message(query[:2], question, kind, said, said.truncated and way == "udp"))
        if kind == AAAA:
            said.ipv6_answered.set()

    @staticmethod
    def _message(number, question, kind, said, truncated):
        records = [data for its_kind, data in said.records if its_kind in (kind, CNAME)]
        authority = []
        if said.negative_ttl is not None:
            authority = [start_of_authority("test", said.negative_ttl, said.negative_ttl)]
        if truncated:
            records, authority = [], []
        flags = 0x8180 | said.code | (0x0200 if truncated else 0)
        head = struct.pack("!5H", flags, 1, len(records), len(authority), 0)
        return number + head + question + b"".join(records + authority)
