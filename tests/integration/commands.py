"""`fetchmill fetch`, `batch` and `process` as a shell runs them."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import tempfile
import threading

import processes
from harness import DEFAULTS, FETCHMILL_BIN, clean_environment, run_command, setting_flags
from processes import bound, eventually

SETTINGS = setting_flags(
    {
        name: DEFAULTS[name]
        for name in ("workers.count", "workers.region_mb", "fetch.allow_networks")
    }
)


def fetch(*arguments, **how):
    return run_command("fetch", *arguments, *SETTINGS, **how)


def process(*arguments, given=b""):
    """The CompletedProcess, in bytes; `given`: its standard input, bytes or an open file."""
    stream = {"input": given} if isinstance(given, bytes) else {"stdin": given}
    return subprocess.run(
        [FETCHMILL_BIN, "process", *map(str, arguments), *SETTINGS],
        capture_output=True,
        timeout=bound(20),
        env=clean_environment(),
        check=False,
        **stream,
    )


class Running:
    """A command that runs, with pipes; `terminal` makes standard error a terminal."""

    def __init__(self, *arguments, terminal=False, **how):
        self._terminal = None
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        if terminal:
            self._terminal, streams["stderr"] = pty.openpty()
        streams.update(how)
        self.child = subprocess.Popen(
            [FETCHMILL_BIN, *map(str, arguments), *SETTINGS],
            env=clean_environment(),
            start_new_session=True,
            **streams,
        )
        self._said = b""
        if terminal:
            os.close(streams["stderr"])
            self._reader = threading.Thread(target=self._read_terminal)
            self._reader.start()

    def _read_terminal(self):
        while True:
            try:
                data = os.read(self._terminal, 4096)
            except OSError:  # the other side is closed
                return
            self._said += data

    def said(self):
        """What the terminal got so far."""
        return self._said.decode()

    def send(self, text):
        self.child.stdin.write(text.encode())
        self.child.stdin.flush()

    def outcome(self):
        """The next one."""
        return json.loads(self.child.stdout.readline())

    def interrupt(self):
        """As Ctrl-C does: every process of the command gets the signal."""
        os.killpg(self.child.pid, signal.SIGINT)

    def end(self, within=20.0):
        """(exit code, outcomes not read yet, standard error); nothing may be left behind."""
        family = processes.descendants(self.child.pid)
        out, err = self.child.communicate(timeout=bound(within))
        if self._terminal is not None:
            self._reader.join()
            err = self._said
        eventually(lambda: not any(map(processes.alive, family)), "no process is left behind", 5)
        lines = [json.loads(line) for line in (out or b"").splitlines()]
        return self.child.returncode, lines, (err or b"").decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        if self._terminal is not None:
            self._reader.join()
            os.close(self._terminal)
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            if stream:
                stream.close()


def batch(*arguments, text=None, **how):
    """(exit code, outcomes, standard error) of a whole run; `text` is its standard input."""
    with Running("batch", *arguments, **how) as running:
        if text is not None:
            running.send(text)
        return running.end()


def on_a_terminal(*arguments):
    """(exit code, standard output, standard error), the output a terminal; it takes only little."""
    master, slave = pty.openpty()
    with open(master, "rb", buffering=0) as terminal:
        with open(slave, "wb", buffering=0) as output, Running(*arguments, stdout=output) as running:
            code, _, err = running.end()
        shown = b""
        with contextlib.suppress(OSError):  # the other side is closed
            while piece := terminal.read(4096):
                shown += piece
        return code, shown, err


def temporary_folder(test):
    return test.enterContext(tempfile.TemporaryDirectory(prefix="fetchmill-test-"))
