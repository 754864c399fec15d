#!/usr/bin/python3
"""fetchmill beside what one would take instead: the same jobs, measured in turns on this machine.

Results are kept as JSON in build/bench, a file for each job, so that jobs may be measured one at a
time; bench/RESULTS.md and bench/results.svg are written from all of them after every run. A quick
run keeps, and writes, everything in build/bench/quick. Interrupting it is safe: what it started
ends with it.
"""

import argparse
import pathlib
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The tests' server, origin and client are the suite's as well.
sys.path.insert(0, str(ROOT / "tests/integration"))

from suite import chart, machine, prepare, report, results  # noqa: E402
from suite.curves import CURVES  # noqa: E402
from suite.jobs import JOBS  # noqa: E402
from suite.load import LoadFailed  # noqa: E402
from suite.measure import Effort  # noqa: E402
from suite.servers import missing, place  # noqa: E402

NAMES = [one.name for one in (*JOBS, *CURVES)]


def chosen(text):
    """The names that a list stands for: J3 for J3-100k and J3-1m, "jobs" and "curves" for all."""
    groups = {"jobs": [job.name for job in JOBS], "curves": [curve.name for curve in CURVES]}
    names = []
    for word in text.split(","):
        found = groups.get(word) or [n for n in NAMES if n == word or n.startswith(word + "-")]
        if not found:
            raise argparse.ArgumentTypeError(f"{word} is none of {', '.join([*groups, *NAMES])}")
        names += found
    return names


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--jobs", type=chosen, metavar="NAMES", help=f"some of: jobs, curves, {', '.join(NAMES)}"
    )
    parser.add_argument(
        "--peers", metavar="NAMES", help="only these servers, such as fetchmill,nginx; keeps nothing"
    )
    parser.add_argument("--rounds", type=int, help="default: 5")
    parser.add_argument("--seconds", type=int, help="of load, a server and round; default: 3")
    parser.add_argument("--quick", action="store_true", help="under two minutes, jobs only")
    parser.add_argument("--report", action="store_true", help="only write what has been measured")
    return parser.parse_args()


def effort_of(one, arguments):
    quick_rounds = one.quick_rounds if one in JOBS else 1
    rounds = arguments.rounds or (quick_rounds if arguments.quick else 5)
    return Effort(rounds, arguments.seconds or (1 if arguments.quick else 3))


def run(one, here, arguments):
    """Measures one job or curve; prints its section and keeps its result."""
    only = arguments.peers.split(",") if arguments.peers else one.servers
    names = [name for name in one.servers if name in only]
    if not names:
        return
    print(f"{one.name}: {one.title}", file=sys.stderr, flush=True)
    effort = effort_of(one, arguments)
    load_before = machine.load_average()
    if one in JOBS:
        content, section = {"rounds": one.measure(here, names, effort)}, report.job_section
    else:
        content, section = {"points": one.points(here, names, effort)}, report.curve_section
    result = results.complete(effort, load_before, content)
    print(section(one, result), end="\n\n", flush=True)
    if not arguments.peers:
        results.save(one.name, arguments.quick, result)


def write_report(quick):
    job_results = results.read([job.name for job in JOBS], quick)
    curve_results = results.read([curve.name for curve in CURVES], quick)
    folder = results.folder(quick) if quick else ROOT / "bench"
    text = report.document(JOBS, job_results, CURVES, curve_results)
    (folder / "RESULTS.md").write_text(text)
    picture = chart.svg(JOBS, job_results)
    if picture:
        (folder / "results.svg").write_text(picture)
    print(f"written: {folder}/RESULTS.md", file=sys.stderr)


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not arguments.report:
        names = arguments.jobs or chosen("jobs" if arguments.quick else "jobs,curves")
        todo = [one for one in (*JOBS, *CURVES) if one.name in names]
        prepare.everything()
        gone = missing({server for one in todo for server in one.servers}, arguments.peers)
        if gone:
            sys.exit(f"missing, which `make bench` installs or builds: {', '.join(gone)}")
        machine.become_load()
        begin = time.monotonic()
        with place() as here:
            for one in todo:
                run(one, here, arguments)
        print(f"took {time.monotonic() - begin:.0f} s", file=sys.stderr)
    if not arguments.peers:
        write_report(arguments.quick)


if __name__ == "__main__":
    try:
        main()
    except LoadFailed as failure:
        sys.exit(f"not measured: {failure}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
