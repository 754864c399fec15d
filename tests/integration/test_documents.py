"""The examples in the documents: each is run as it stands, and gives what is shown."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

import documents
import harness
from documents import CODE, FILE, MODULE, SHELL, SHOWN
from harness import FETCHMILL_BIN, Fetchmill, clean_environment, run_command
from processes import SANITIZED, bound
from upstreams import ORIGIN_BIN, ROOT

# Lines of commands that are not run here, and why.
NOT_RUN = {
    "make demo": "builds, then runs for a minute",
    "make run": "its script is this test's server",
    "FETCHMILL_PYTHON_MODULES=python make run": "likewise",
    "make image PYTHON_OPS=ON": "make container-test PYTHON_OPS=ON does",
    "make test": "runs this",
    "make asan": "runs this",
    "make fuzz": "runs fuzzers",
    "make bench": "measures for minutes",
    "make bench-parts": "measures for minutes",
    "make fmt tidy": "needs the whole build",
    "make help": "lists targets",
    ".ci/run": "runs this",
    "make image": "takes a container engine; make container-test builds and runs it",
    "docker run --rm --read-only --cap-drop ALL -p 127.0.0.1:8080:8080 fetchmill": "needs the image",
    "docker run --rm --read-only -p 127.0.0.1:8080:8080 -v ./python:/python:ro "
    "-e FETCHMILL_PYTHON_MODULES=/python fetchmill": "needs the image",
    "cp deploy/systemd/fetchmill.service /etc/systemd/system/": "installs",
    "install -D -m 644 deploy/fetchmill.example.toml /etc/fetchmill/fetchmill.toml": "installs",
    "systemctl daemon-reload && systemctl enable --now fetchmill": "installs",
    "build/release/bench/isolation --rounds 15": "measures for minutes",
    "build/release/bench/isolation --rounds 15 --markdown": "measures for minutes",
}

# Whether this build has it: what is shown of it is run only then.
PYTHON = "without FETCHMILL_PYTHON_OPS" not in run_command(
    "check-config", "--python.modules", "/"
).stderr

SERVE = "build/release/fetchmill serve "
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md")])
LANGUAGES = {SHELL, FILE, MODULE, CODE, SHOWN}


class Demo:
    """What `make run` leaves running, on free ports, and a folder that looks like a checkout."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="fetchmill-documents-")
        self.folder = pathlib.Path(self._folder.name)
        binaries = self.folder / "build/release"
        (binaries / "tests").mkdir(parents=True)
        (binaries / "fetchmill").symlink_to(FETCHMILL_BIN)
        (binaries / "tests/fetchmill-origin").symlink_to(ORIGIN_BIN)
        (self.folder / "deploy").symlink_to(ROOT / "deploy")
        for document in DOCUMENTS:
            documents.save_modules(document.read_text(), self.folder)
        self._process = subprocess.Popen(
            [ROOT / "deploy/demo/demo.sh", "run"],
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(
                {
                    "BUILD": str(binaries),
                    "LISTEN": "127.0.0.1:0",
                    "ORIGIN_LISTEN": "127.0.0.1:0",
                    **({"FETCHMILL_PYTHON_MODULES": "python"} if PYTHON else {}),
                }
            ),
            cwd=self.folder,
        )
        self.lines = []  # that it tells its user to type
        address = re.compile(r"is at (http://\S+), .* at (http://\S+)\. ")
        for line in self._process.stdout:
            if found := address.search(line):
                self.api, self.origin = found[1], found[2]
            elif "curl " in line:
                self.lines.append(line.strip())
            if len(self.lines) == 4:
                return
        raise AssertionError("demo.sh run did not start")

    def placed(self, text):
        """The text with the ports that are free here."""
        return text.replace("http://127.0.0.1:8080", self.api).replace(
            "http://127.0.0.1:8081", self.origin
        )

    def shell(self, script, exports=(), environment=None):
        """As documents.typed, in this folder, without settings of ours."""
        return documents.typed(
            "\n".join([*exports, script]), self.folder, clean_environment(environment), bound(60)
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=bound(20))
        self._process.stdout.close()
        self._folder.cleanup()
        if code != 0:
            raise AssertionError(f"demo.sh run ended with {code}")


def command_of(line):
    return line.partition(" #")[0].strip()


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.demo = cls.enterClassContext(Demo())

    def run_block(self, block, exports):
        """Runs what of it can be run; exports stay for the blocks behind it."""
        lines = [line for line in block.text.splitlines() if command_of(line) not in NOT_RUN]
        for line in [line for line in lines if line.startswith(SERVE)]:
            lines.remove(line)
            self.check_serve(line.removeprefix(SERVE).split())
        script, shown = "\n".join(lines), block.output
        if SANITIZED:  # which is slow
            script = script.replace("100000", "1000")
            shown = shown and shown.replace("100000", "1000")
        if not script:
            return
        code, out, said = self.demo.shell(self.demo.placed(script), exports)
        self.assertEqual(code, 0, (script, out, said))
        exports += [line for line in lines if line.startswith("export ")]
        if shown is None:
            return
        if "ETA" in shown:  # is for the terminal
            self.assertTrue(documents.shows_progress(shown, said), (script, said))
        else:
            self.assertTrue(documents.shows(self.demo.placed(shown), out), (script, shown, out))

    def check_serve(self, flags):
        """The server starts with those flags, on any port, and ends when it is told to."""
        settings = {flag.removeprefix("--"): value for flag, value in zip(flags[::2], flags[1::2])}
        self.assertIn("server.listen", settings)
        # The harness reads the log as JSON; text is asked for in a check of its own.
        checked = run_command("check-config", *flags)
        self.assertEqual(checked.returncode, 0, checked)
        with Fetchmill({**settings, "server.listen": "127.0.0.1:0", "log.format": "json"}):
            pass

    def check_file(self, block):
        """A file with that in it is a configuration; a secret stands where it says."""
        secret, file = self.demo.folder / "secret", self.demo.folder / "example.toml"
        secret.write_text("Bearer anything")
        file.write_text(re.sub(r'(?<=_file = ")[^"]+', str(secret), block.text))
        result = run_command("check-config", "--config", file)
        self.assertEqual(result.returncode, 0, result)

    def test_every_block(self):
        ran = 0
        for document in DOCUMENTS:
            exports = []
            for block in documents.fenced_blocks(document.read_text()):
                with self.subTest(document=document.name, line=block.line):
                    self.assertIn(block.language, LANGUAGES, "what is to be done with these?")
                    if "py." in block.text and not PYTHON:
                        continue
                    if block.language == SHELL:
                        self.run_block(block, exports)
                    elif block.language == FILE:
                        self.check_file(block)
                    ran += block.language not in (SHOWN, MODULE, CODE)
        self.assertGreaterEqual(ran, 19)

    def test_indented_commands_are_listed(self):
        for document in DOCUMENTS:
            for group in documents.indented_lines(document.read_text()):
                for line in group.splitlines():
                    with self.subTest(document=document.name):
                        self.assertIn(command_of(line), NOT_RUN, "put it into a sh block")

    def test_what_is_not_run_still_stands_somewhere(self):
        lines = [line for document in DOCUMENTS for line in document.read_text().splitlines()]
        self.assertLessEqual(set(NOT_RUN), set(map(command_of, lines)))

    def test_what_the_demo_says_to_type(self):
        for line in self.demo.lines:
            with self.subTest(line):
                code, out, said = self.demo.shell(line.partition(";")[0].replace("curl", "curl -f"))
                self.assertEqual((code, bool(out)), (0, True), said)


class Tables(unittest.TestCase):
    def test_the_readme_has_a_row_for_every_op(self):
        ops = [op["name"] for op in json.loads(run_command("ops", "--json").stdout)["ops"]]
        _, _, section = (ROOT / "README.md").read_text().partition("\n### Ops\n")
        first_cells = re.findall(r"^\| ([^|]+) \|", section.partition("\n#")[0], re.MULTILINE)
        told = re.findall("`([^`]+)`", " ".join(first_cells))
        # Some of what it tells is not in every build.
        told.remove("py.NAME")
        if "image.info" not in ops:
            told = [name for name in told if not name.startswith("image.")]
        self.assertEqual(sorted(told), sorted(ops))


class Manual(unittest.TestCase):
    """The examples of the manual page, which are also those that --help shows."""

    @classmethod
    def setUpClass(cls):
        cls.demo = cls.enterClassContext(Demo())
        origin = cls.demo.origin
        page = (ROOT / "docs/fetchmill.1").read_text()
        cls.commands = [
            line.replace("https://api.example/items --json", f"{origin}/echo --json")
            .replace("https://api.example/items", f"'{origin}/json?records=2'")
            .replace("http://127.0.0.1:8081", origin)
            .replace("https://example.com", origin)
            for line in documents.manual_examples(page)
        ]
        files = {
            "urls.txt": f"{origin}/text?text=a\n{origin}/text?text=b\n",
            "page.html": "<p>a",
            "notes": "see https://fetchmill.invalid/ and more\n",
            "steps.json": '[{"op": "hash"}]',
            "fetchmill.toml": '[server]\nlisten = "127.0.0.1:0"\n',
            ".config/fish/completions/empty": "",
        }
        for name, text in files.items():
            path = cls.demo.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def test_every_example(self):
        self.assertGreaterEqual(len(self.commands), 14)
        environment = {
            "HOME": str(self.demo.folder),
            "PATH": f"{self.demo.folder}/build/release:{os.environ['PATH']}",
            "FETCHMILL_FETCH_ALLOW_NETWORKS": "127.0.0.0/8",
        }
        for command in self.commands:
            with self.subTest(command):
                if command.startswith("fetchmill serve"):
                    checked = command.replace("fetchmill serve", "fetchmill check-config")
                    code, _, said = self.demo.shell(checked, environment=environment)
                    self.assertEqual(code, 0, said)
                    continue
                code, out, said = self.demo.shell(command, environment=environment)
                # No page elsewhere is fetched: that name has no address.
                expected = 3 if "notes" in command else 0
                self.assertEqual(code, expected, (out, said))


if __name__ == "__main__":
    harness.main()
