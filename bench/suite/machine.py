"""The machine: which CPU does what, what it is, and what its processes have used."""

import os
import pathlib
import platform
import re
import resource

import processes


def _cpus():
    return sorted(os.sched_getaffinity(0))


# With one CPU everything shares it, and no figure compares with one of a larger machine.
CPUS = _cpus()
SERVER_CPU = str(CPUS[0])
LOAD_CPU = str(CPUS[-1])
ALL_CPUS = ",".join(map(str, CPUS))


def pinned(cpus, command):
    """The command on those CPUs; it ends when this process does, however that ends."""
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", cpus, *map(str, command)]


def become_load():
    """This process, and what it starts without `pinned`, is load; it may open many connections."""
    os.sched_setaffinity(0, {int(LOAD_CPU)})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def description():
    """What a reader needs to know about this machine, as {name: text}."""
    cpu_info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.+)$", cpu_info, re.MULTILINE)
    virtual = " (virtual)" if re.search(r"^flags.*\bhypervisor\b", cpu_info, re.MULTILINE) else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    release = platform.freedesktop_os_release()
    return {
        "CPU": f"{len(CPUS)} × {model[1] if model else platform.machine()}{virtual}",
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": f"Linux {platform.release()}",
        "system": release.get("PRETTY_NAME", "unknown"),
    }


def load_average():
    return os.getloadavg()[0]


class Tree:
    """A process and all below it, as one figure each."""

    def __init__(self, pid):
        self._pid = pid

    def _pids(self):
        return [self._pid, *processes.descendants(self._pid)]

    def _sum(self, figure):
        total = 0
        for pid in self._pids():
            try:
                total += figure(pid)
            except (FileNotFoundError, ProcessLookupError):
                pass  # has ended since
        return total

    def cpu_seconds(self):
        """User and system time of all threads."""
        return self._sum(processes.cpu_seconds)

    def resident_bytes(self):
        """Memory that two of them share counts twice: for differences only."""
        return self._sum(processes.resident_bytes)

    def peak_bytes(self):
        return self._sum(lambda pid: 1024 * _status(pid, "VmHWM"))

    def proportional_bytes(self):
        """Memory that n of them share counts for each by an n-th."""
        return self._sum(lambda pid: 1024 * _field(f"/proc/{pid}/smaps_rollup", "Pss"))

    def wake_ups(self):
        """How often any thread has gone to sleep, which is how often it had been awake."""
        return self._sum(
            lambda pid: sum(
                _field(f"/proc/{pid}/task/{thread}/status", "voluntary_ctxt_switches")
                for thread in os.listdir(f"/proc/{pid}/task")
            )
        )


def _status(pid, name):
    return _field(f"/proc/{pid}/status", name)


def _field(path, name):
    found = re.search(rf"^{name}:\s+(\d+)", pathlib.Path(path).read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
