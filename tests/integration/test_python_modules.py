"""Modules of ops in Python that cannot be used, and builds that take none: what start-up says."""

import pathlib
import tempfile
import unittest

import harness
from harness import Fetchmill, run_command
from processes import SANITIZED
from test_python import MODULES, PYTHON


@unittest.skipUnless(PYTHON, "this build has no Python")
class Mistakes(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def refused(self, command="check-config", folder=None):
        """What start-up says, which fails for it."""
        result = run_command(command, "--python.modules", folder or self.folder)
        self.assertEqual(result.returncode, 2, result)
        self.assertIn(f"--python.modules: python.modules = {folder or self.folder}", result.stderr)
        return result.stderr

    def test_all_of_them_are_told(self):
        cases = {
            "syntax": ("def process(body):\n    return (", "SyntaxError: '(' was never closed"),
            "missing": ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
            "raises": ("def f():\n    1 / 0\nf()", '      File "raises.py", line 2, in f\n'),
            "empty": ("", "empty.py: it has no function process(body, params)"),
            "number": ("process = 1", "number.py: it has no function process"),
            "nothing": ("def process(): pass", "nothing.py: process must take the body first"),
            "named": ("def process(*, body): pass", "named.py: process must take the body first"),
            "star": ("def process(body, *rest): pass", "star.py: *rest cannot be a parameter"),
            "stars": ("def process(body, **rest): pass", "stars.py: **rest cannot be a parameter"),
            "op": ("def process(body, op): pass", "op.py: a parameter cannot be named op"),
            "later": ("async def process(body): pass", "later.py: process must be a plain function"),
            "many": ("def process(body): yield 1", "many.py: process must be a plain function"),
            "exits": ("import sys; sys.exit(3)", "SystemExit: 3"),
            "bytes": ("\ud800", "bytes.py:"),
            "not-a-name": ("def process(body): pass", "not-a-name.py: the name of an op is a letter"),
        }
        for name, (text, _) in cases.items():
            (self.folder / f"{name}.py").write_bytes(text.encode("utf-8", "surrogatepass"))
        (self.folder / "good.py").write_text("def process(body): pass")
        (self.folder / "notes.txt").write_text("is no module")
        for command in ("check-config", "serve", "print-config"):
            said = self.refused(command)
        for name, (_, expected) in cases.items():
            with self.subTest(name):
                self.assertIn(expected, said)
        self.assertNotIn("good.py", said)
        self.assertNotIn("notes.txt", said)

    def test_threads(self):
        (self.folder / "thread.py").write_text(
            "import threading, time\n"
            "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
            "def process(body): pass\n"
        )
        self.assertIn("thread.py: importing it starts a thread", self.refused())

    def test_an_import_that_ends_the_process(self):
        for text, ending in [
            ("import os; os._exit(5)", "importing it ended with exit code 5"),
            ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended with signal 11"),
        ]:
            (self.folder / "ends.py").write_text(text)
            with self.subTest(text):
                self.assertIn("ends.py: importing it ended with", said := self.refused())
                if not SANITIZED:
                    self.assertIn(ending, said)

    def test_prints_while_importing_are_harmless(self):
        (self.folder / "prints.py").write_text(
            "import os\nprint('hello')\nos.write(1, b'hello')\ndef process(body): return 1\n"
        )
        result = run_command("print-config", "--python.modules", self.folder)
        self.assertEqual(result.returncode, 0)
        self.assertNotIn("hello", result.stdout + result.stderr)

    def test_a_directory_that_is_none(self):
        self.assertIn("there is no NAME.py in it", self.refused())
        self.assertIn("No such file or directory", self.refused(folder="/nowhere"))
        self.assertIn("Not a directory", self.refused(folder=__file__))

    def test_closed_standard_streams(self):
        (self.folder / "one.py").write_text("def process(body): return print('x')\n")
        settings = {"python.modules": self.folder}
        with Fetchmill(settings, prefix=("sh", "-c", 'exec "$@" <&- >&-', "sh")) as server:
            self.assertEqual(server.process(b"", "py.one").json(), None)


class WithoutPython(unittest.TestCase):
    @unittest.skipIf(PYTHON, "this build has Python")
    def test_it_is_refused(self):
        result = run_command("check-config", "--python.modules", MODULES)
        self.assertEqual(result.returncode, 2)


if __name__ == "__main__":
    harness.main()
