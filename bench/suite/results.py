"""Results on disk: a JSON file for each job or curve, so that each may be measured at its own time."""

import json
import subprocess
import time
from importlib import metadata

import harness

from . import machine
from .servers import BUILT, PEERS_FOLDER

_VERSION_COMMANDS = {
    "nginx": ["/usr/sbin/nginx", "-v"],
    "Node": ["node", "--version"],
    "Go": ["go", "version"],
    "fetchmill": [harness.FETCHMILL_BIN, "version"],
}
_PACKAGES = {"lua-nginx-module": "libnginx-mod-http-lua", "lua-cjson": "lua-cjson", "wrk": "wrk"}


def folder(quick):
    return BUILT / ("quick" if quick else "full")


def complete(effort, load_before, content):
    """A result: its content, and how, when and where it came about."""
    return {
        "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "load_before": load_before,
        "rounds_wanted": effort.rounds,
        "seconds": effort.seconds,
        "machine": machine.description(),
        "versions": versions(),
        **content,
    }


def save(name, quick, result):
    path = folder(quick) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1))


def read(names, quick):
    """{name: result} of those that have been measured."""
    paths = {name: folder(quick) / f"{name}.json" for name in names}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def versions():
    """{what: version} of everything that takes part."""
    found = {name: _first_line(command) for name, command in _VERSION_COMMANDS.items()}
    for name, package in _PACKAGES.items():
        found[name] = _first_line(["dpkg-query", "-W", "-f", "${Version}", package])
    pinned = json.loads((PEERS_FOLDER / "node/package.json").read_text())["dependencies"]
    return found | pinned | {name: metadata.version(name) for name in ("aiohttp", "uvloop")}


def _first_line(command):
    try:
        child = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "not here"
    return (child.stdout or child.stderr).partition("\n")[0].strip()
