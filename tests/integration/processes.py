"""What /proc says about processes, and waiting for conditions."""

import contextlib
import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import time

SANITIZED = os.environ.get("FETCHMILL_SANITIZED") == "1"


def bound(seconds):
    """An upper time bound: generous enough for a sanitized build, and for a machine that is busy."""
    return seconds * (6 if SANITIZED else 3)


def eventually(condition, what, within=10.0):
    """Polls until `condition()` is true, for at most `within` seconds; returns its value."""
    deadline = time.monotonic() + bound(within)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {within} s: {what}")
        time.sleep(0.005)


def with_more_time(attempt, *limits):
    """What `attempt(limit)` returns with the first of these limits that it does not fail with.

    For a limit that has to run out, and within which something else has to be done before: the
    first is enough on a machine that has nothing else to do, the last on any.
    """
    for limit in limits[:-1]:
        with contextlib.suppress(Exception):
            return attempt(limit)
    return attempt(limits[-1])


def _stat(pid):
    """What follows its name in /proc/PID/stat, from its state on; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def wakings(pid):
    """How often the process has gone to sleep and woken up."""
    with open(f"/proc/{pid}/status", encoding="latin-1") as file:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.MULTILINE)[1])


def pending_signals(pid):
    """The signals that a process has been sent and not taken, as a set of bits."""
    with open(f"/proc/{pid}/status", encoding="latin-1") as file:
        found = re.findall(r"^S[hi][dg]Pnd:\s+(\w+)", file.read(), re.MULTILINE)
    return int(found[0], 16) | int(found[1], 16)


def stopped(pid):
    """Whether a signal made it stand still, so that it runs no further until SIGCONT."""
    stat = _stat(pid)
    return stat is not None and stat[0] == "T"


def alive(pid):
    """Whether the process runs: a zombie does not."""
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX"


def children(pid, ended=False):
    """The pids of the running children of `pid`, in ascending order; `ended`: of all that were not
    waited for."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    stats = [(child, _stat(child)) for child in pids]
    left_out = "X" if ended else "ZX"
    return sorted(
        child for child, stat in stats if stat and int(stat[1]) == pid and stat[0] not in left_out
    )


def kill(pid, number=signal.SIGKILL):
    """Signals a process of another's: one that has been killed before may end at any moment."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def descendants(pid, ended=False):
    found = []
    for child in children(pid, ended):
        found += [child, *descendants(child, ended)]
    return found


def descriptors(pid):
    """The open descriptors of a process as {number: what it is}."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            pass
    return found


def cpu_seconds(pid):
    """User and system time the process has used; 0 when it is gone."""
    stat = _stat(pid)
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK") if stat else 0.0


def resident_bytes(pid):
    """The memory a process holds."""
    with open(f"/proc/{pid}/statm", encoding="latin-1") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def isolate_network():
    """Moves this process, and what it starts, to a network of its own with nothing but loopback.

    For tests whose failure would mean connecting elsewhere. Call it before any thread starts.
    Returns whether the system allowed it.
    """
    new_user, new_network = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET
    flags = new_network if os.geteuid() == 0 else new_network | new_user
    if ctypes.CDLL(None).unshare(flags) != 0:
        return False
    set_flags, up = 0x8914, 1  # SIOCSIFFLAGS, IFF_UP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sH14x", b"lo", up))
    return True
