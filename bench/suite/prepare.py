"""What the suite needs besides Debian's packages: npm's packages, the Go peer and the documents."""

import os
import shutil
import subprocess
import sys

from . import documents
from .servers import GO_PEER, NODE_MODULES, PEERS_FOLDER


def everything():
    documents.write()
    _node()
    _go()


def _node():
    wanted = PEERS_FOLDER / "node/package.json"
    folder = NODE_MODULES.parent
    have = folder / "package.json"
    if NODE_MODULES.exists() and have.exists() and have.read_bytes() == wanted.read_bytes():
        return
    if not shutil.which("npm"):
        return
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-package-lock", "--omit=optional", "--no-audit", "--no-fund"]
    shutil.copy(wanted, have)
    if subprocess.run([*command, "--silent"], cwd=folder, check=False).returncode != 0:
        have.unlink()
        print("npm could not install Node's packages", file=sys.stderr)


def _go():
    if not shutil.which("go"):
        return
    # It compares by itself what has changed.
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    GO_PEER.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["go", "build", "-o", GO_PEER, "."], cwd=PEERS_FOLDER / "go", env=environment, check=True
    )
