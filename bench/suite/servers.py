"""The servers that are measured, started and asked the same things, and what they fetch from.

Each peer is one small program in bench/peers/NAME. To add one: its program there, an entry in PEERS,
and its name in the jobs it takes part in.
"""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable

from harness import FETCHMILL_BIN, Fetchmill, free_port
from processes import eventually
from upstreams import ORIGIN_BIN, ROOT, Origin

from .machine import LOAD_CPU, SERVER_CPU, Tree, pinned

NGINX = "/usr/sbin/nginx"
BENCH = ROOT / "bench"
PEERS_FOLDER = BENCH / "peers"
# What is built or downloaded for the suite.
BUILT = ROOT / "build/bench"
DOCUMENTS = BUILT / "documents"
GO_PEER = BUILT / "go/peer"
NODE_MODULES = BUILT / "node/node_modules"


@dataclasses.dataclass(frozen=True)
class Routes:
    """Where a server has the things that jobs ask for; None: it cannot."""

    hello: str = "/healthz"
    fetch: str | None = "/fetch?url={url}"
    aggregate: str | None = "/aggregate?url={url}"
    burn: str | None = "/burn?iterations={iterations}"
    batch: str | None = "/batch"


FETCHMILL_ROUTES = Routes(
    fetch="/v1/fetch?url={url}",
    aggregate="/v1/fetch?url={url}&op=json.aggregate&value=/score&group_by=/lang",
    burn="/v1/process?op=cpu.loop&iterations={iterations}",
    batch="/v1/batch",
)


@dataclasses.dataclass(frozen=True)
class Peer:
    """`command(port, workers, place)` is how to start it; None for fetchmill itself."""

    label: str
    command: Callable | None
    routes: Routes = Routes()
    settings: dict = dataclasses.field(default_factory=dict)


def _nginx(name):
    def command(port, workers, place):
        configuration = place.fill(PEERS_FOLDER / name / "nginx.conf", PORT=port)
        return [NGINX, "-p", place.folder, "-c", configuration]

    return command


def _node(port, workers, place):
    script = PEERS_FOLDER / "node/server.js"
    return ["env", f"NODE_PATH={NODE_MODULES}", "node", script, port, workers]


def _aiohttp(port, workers, place):
    return ["/usr/bin/python3", "-B", PEERS_FOLDER / "aiohttp/server.py", port, workers]


def _go(port, workers, place):
    return [GO_PEER, "serve", port, workers]


PEERS = {
    "fetchmill": Peer("fetchmill", None, FETCHMILL_ROUTES),
    "fetchmill-idle": Peer(
        "fetchmill, `workers.scheduling = idle`",
        None,
        FETCHMILL_ROUTES,
        {"workers.scheduling": "idle"},
    ),
    "nginx": Peer("nginx", _nginx("nginx"), Routes(aggregate=None, burn=None, batch=None)),
    "lua": Peer("nginx + Lua", _nginx("lua"), Routes(burn=None)),
    "node": Peer("Node + undici + piscina", _node),
    "aiohttp": Peer("aiohttp + ProcessPoolExecutor", _aiohttp),
    "go": Peer("Go's standard library", _go),
}


class Server:
    """A running server: its routes, its port and its processes."""

    def __init__(self, name, port, pid):
        self.name, self.port, self.tree = name, port, Tree(pid)
        self.routes = PEERS[name].routes

    def url(self, target):
        return f"http://127.0.0.1:{self.port}{target}"


class Place:
    """Where a run has its files: filled configurations, logs, and the upstreams' ports."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        # nginx, started as root, works as somebody else.
        self.folder.chmod(0o755)
        self.documents_port = free_port()
        self._origin = None

    def fill(self, template, **values):
        """The file, named after its folder, with what it names as @NAME@ put in."""
        values |= {
            "FOLDER": self.folder,
            "DOCUMENTS": DOCUMENTS,
            "PEERS": PEERS_FOLDER,
            "UPSTREAM_PORT": self.documents_port,
        }
        text = template.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        path = self.folder / f"{template.parent.name}.conf"
        path.write_text(text)
        return path

    def document(self, name):
        return f"http://127.0.0.1:{self.documents_port}/{name}"

    @contextlib.contextmanager
    def upstreams(self):
        """nginx with the documents, and the origin that delays; both on the load's CPU."""
        configuration = self.fill(BENCH / "upstream/nginx.conf", PORT=self.documents_port)
        command = [NGINX, "-p", self.folder, "-c", configuration]
        with running(command, self.documents_port, LOAD_CPU, self.folder / "upstream.out"):
            with Origin() as self._origin:
                yield

    def delayed(self, milliseconds, number):
        """A URL that answers so late; no two numbers may share a fetch."""
        return self._origin.url(f"/delay?ms={milliseconds}&n={number}")

    def requests_served(self):
        """What the documents' server has answered so far, this question included."""
        with socket.create_connection(("127.0.0.1", self.documents_port)) as connection:
            connection.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        return int(answer.split()[-7])

    @contextlib.contextmanager
    def server(self, name, cpus=SERVER_CPU, workers=1, settings=None):
        """The server of that name on those CPUs, ended with the block."""
        peer = PEERS[name]
        if peer.command is None:
            prefix = pinned(cpus, [])
            chosen = {**OWN_DEFAULTS, "workers.count": workers, **peer.settings, **(settings or {})}
            with Fetchmill(chosen, prefix=prefix) as own:
                yield Server(name, own.address[1], own.pid)
            return
        port = free_port()
        command = peer.command(port, workers, self)
        with running(command, port, cpus, self.folder / f"{name}.out") as pid:
            yield Server(name, port, pid)


# A server as its users start it: of the tests' settings only the port and the network remain.
OWN_DEFAULTS = {"workers.region_mb": None}


@contextlib.contextmanager
def place():
    """A Place with its upstreams running, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="fetchmill-bench-") as folder:
        here = Place(folder)
        with here.upstreams():
            yield here


@contextlib.contextmanager
def running(command, port, cpus, log):
    with open(log, "wb") as output:
        # With a group of its own: a server that ends leaves its pool's processes behind.
        child = subprocess.Popen(
            pinned(cpus, command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        eventually(lambda: _accepts(child, port, log), f"{command[0]} listens on {port}", 20)
        yield child.pid
    finally:
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _accepts(child, port, log):
    if child.poll() is not None:
        raise SystemExit(f"a server ended at once; its words:\n{log.read_text()}")
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def missing(names, only=None):
    """The programs that are not there, of all that those servers, or those of `only`, need."""
    needs = {
        "nginx": [NGINX],
        "lua": [NGINX, "/usr/lib/nginx/modules/ngx_http_lua_module.so"],
        "node": ["node", NODE_MODULES / "piscina"],
        "piscina": ["node", NODE_MODULES / "piscina"],
        "go": [GO_PEER],
        "go-channel": [GO_PEER],
        "aiohttp": ["/usr/lib/python3/dist-packages/uvloop"],
    }
    wanted = names & set(only.split(",")) if only else names
    programs = {"wrk", NGINX, ORIGIN_BIN, FETCHMILL_BIN}
    programs |= {str(program) for name in wanted for program in needs.get(name, [])}
    return sorted(p for p in programs if not shutil.which(p) and not os.path.exists(p))
