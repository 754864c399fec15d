"""The benchmark suite without its peers: its tables fit together, its ratios and reports are right.

And no op is without a benchmark and a fuzzer, and what is said of a killed worker is so.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

from harness import free_port, run_command
from processes import alive, bound, eventually
from upstreams import ROOT

sys.path.insert(0, str(ROOT / "bench"))

from suite import chart, report, servers  # noqa: E402
from suite.jobs import JOBS  # noqa: E402
from suite.machine import LOAD_CPU  # noqa: E402
from suite.stats import ratio, rotated  # noqa: E402

BY_NAME = {job.name: job for job in JOBS}


def result(*rounds):
    """As it is kept on disk."""
    return {
        "measured": "then",
        "load_before": 0.0,
        "rounds_wanted": len(rounds),
        "seconds": 1,
        "machine": {"CPU": "1 × any"},
        "versions": {"nginx": "1"},
        "rounds": rounds,
    }


def hello_round(ours_us, nginx_us):
    rest = {"rps": 1000.0, "p50_us": 1.0, "p99_us": 2.0}
    return {"fetchmill": {"cpu_us": ours_us, **rest}, "nginx": {"cpu_us": nginx_us, **rest}}


class Ratios(unittest.TestCase):
    def test_are_taken_within_rounds(self):
        # The machine slows down by ten: medians of each server alone would say 1.
        rounds = [hello_round(1, 2), hello_round(10, 20), hello_round(20, 10)]
        found = ratio(rounds, "fetchmill", "nginx", "cpu_us")
        self.assertEqual((found.median, found.least, found.most), (0.5, 0.5, 2))

    def test_need_both_servers(self):
        self.assertIsNone(ratio([{"fetchmill": {"cpu_us": 1}}], "fetchmill", "nginx", "cpu_us"))

    def test_everybody_is_first_once(self):
        self.assertEqual(
            [rotated(["a", "b", "c"], number) for number in range(3)],
            [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]],
        )


class Tables(unittest.TestCase):
    def test_a_job_judges_what_it_shows_by_servers_it_runs(self):
        for job in JOBS:
            with self.subTest(job.name):
                shown = {column.metric for column in job.columns}
                self.assertLessEqual({job.judge, *(goal.metric for goal in job.goals)}, shown)
                self.assertIn(job.reference, job.servers[1:])
                self.assertTrue(all(map(job.label, job.servers)))


class Ops(unittest.TestCase):
    def setUp(self):
        listed = json.loads(run_command("ops", "--json").stdout)["ops"]
        self.names = [op["name"] for op in listed]
        self.assertIn("identity", self.names)

    def missing(self, form, paths):
        """The ops whose name stands in none of the files in that form."""
        text = b"\n".join(path.read_bytes() for path in paths)
        return [name for name in self.names if (form % name).encode() not in text]

    def test_each_has_a_row_in_micro_ops(self):
        self.assertEqual(self.missing('{"op":"%s"', [ROOT / "bench/micro_ops.cpp"]), [])

    def test_each_is_in_a_fuzzer_or_its_seeds(self):
        folder = ROOT / "tests/fuzz"
        paths = [*folder.glob("fuzz_*.cpp"), *folder.glob("corpus/*/*")]
        self.assertEqual(self.missing('"%s"', paths), [])


class BrokenPool(unittest.TestCase):
    @unittest.skipUnless(importlib.util.find_spec("aiohttp"), "aiohttp is not installed")
    def test_theirs_is_broken_and_ours_is_whole(self):
        program = ROOT / "bench/broken_pool/compare.py"
        ended = subprocess.run(
            [sys.executable, program, "--tasks", "60", "--kill-after", "20"],
            stdout=subprocess.PIPE,
            text=True,
            timeout=bound(60),
            check=False,
        )
        self.assertEqual(ended.returncode, 0, ended.stdout)
        self.assertRegex(ended.stdout, r"[1-9]\d* of them by BrokenProcessPool\n.* broken for good")
        self.assertIn("fetchmill: 60 of 60 results, 0 wrong, 0 lost", ended.stdout)
        self.assertIn("workers killed and replaced: 1\n", ended.stdout)


class Servers(unittest.TestCase):
    def test_end_with_all_their_processes(self):
        port = free_port()
        leaves_a_child = (
            "import os, socket, time; "
            f"listener = socket.create_server(('127.0.0.1', {port})); "
            "print(os.fork() or '', flush=True); time.sleep(1000)"
        )
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "out")
            with servers.running([sys.executable, "-c", leaves_a_child], port, LOAD_CPU, log):
                eventually(lambda: log.read_text().split(), "the server says its child's number")
                child = int(log.read_text())
                self.assertTrue(alive(child))
        eventually(lambda: not alive(child), "the child is gone")


class Reports(unittest.TestCase):
    def test_say_where_we_are_behind(self):
        for ours, met in ((0.9, "yes"), (1.1, "**no**")):
            results = {"J1": result(hello_round(ours, 1), hello_round(ours, 1))}
            text = report.document(JOBS, results, (), {})
            self.assertIn(f"| {report.number(ours)} | ≤ 0.95 | {met} |", text)

    def test_order_by_the_figure_that_judges(self):
        section = report.job_section(BY_NAME["J1"], result(hello_round(3, 2)))
        self.assertLess(section.index("| nginx |"), section.index("| **fetchmill** |"))

    def test_the_picture_shows_who_needs_more(self):
        for ours, kind in ((1, "worse"), (4, "better")):
            picture = chart.svg(JOBS, {"J1": result(hello_round(ours, 2))})
            ElementTree.fromstring(picture)
            self.assertIn(f'<rect class="{kind}"', picture)
            self.assertEqual(picture.count("<rect"), 2, "the background and one bar")

    def test_speed_is_drawn_as_need(self):
        """Where more is better, a peer of half our speed needs twice of us."""
        rounds = [{"fetchmill": {"rps": 10}, "node": {"rps": 5}}]
        ((label, needs),) = chart.bars(BY_NAME["J3-1m"], rounds)
        self.assertEqual((label, needs.median), ("Node + undici + piscina", 2))


if __name__ == "__main__":
    unittest.main(verbosity=2)
