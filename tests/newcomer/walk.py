"""Types the commands of a document from top to bottom and compares what it shows. For run.sh.

Run in the checkout. `make run` stays in the background, as the document has it, on a network of its
own: its ports are free, and nothing connects elsewhere.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

import documents  # noqa: E402
import processes  # noqa: E402

# Commands that are not typed here, and why.
LEFT_OUT = {
    "make demo": "run.sh has typed it",
    "make test": "CI runs it",
    "make asan": "CI runs it",
    "make fuzz": "CI runs it",
    "make container-test": "CI runs it",
    "make bench": "measures for minutes",
    "make fmt tidy": "looks at every source for minutes",
}
# What goes on, and what it says when it is there. The first stays until the next of it or the end.
RUN = "make run"
IN_BACKGROUND = {RUN: "Ctrl-C ends both", "build/release/fetchmill serve": "listening"}
RUN_INTERRUPTED = (0, 130, -signal.SIGINT, 2)  # make's own word for it is 2


class Background:
    """A command that goes on; it is there once it says `sign`."""

    def __init__(self, command, sign, environment):
        self.command = command
        self._process = subprocess.Popen(
            ["bash", "-euc", command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said = []
        for line in self._process.stdout:
            said.append(line)
            if sign in line:
                return
        raise SystemExit(f"{command}: {''.join(said)}")

    def end(self, good=(0,)):
        """As Ctrl-C does it."""
        os.killpg(self._process.pid, signal.SIGINT)
        self._process.stdout.read()
        code = self._process.wait(timeout=60)
        if code not in good:
            raise SystemExit(f"{self.command} ended with {code}")


def walk(document):
    environment, exports, running = dict(os.environ), [], None
    failed = typed = 0
    text = document.read_text()
    documents.save_modules(text, ROOT)
    for block in documents.fenced_blocks(text):
        if block.language != documents.SHELL:
            continue
        lines = []
        for line in block.text.splitlines():
            command = line.partition(" #")[0].strip()
            program = re.sub(r"^(\w+=\S+ )+", "", command)  # without what it sets for its environment
            sign = next((s for start, s in IN_BACKGROUND.items() if program.startswith(start)), None)
            if command in LEFT_OUT:
                print(f"left out: {command}: {LEFT_OUT[command]}", flush=True)
            elif sign:
                if program == RUN and running:
                    running.end(RUN_INTERRUPTED)
                started = Background(command, sign, environment)
                typed += 1
                if program == RUN:
                    running = started
                else:
                    started.end()
            else:
                lines.append(line)
        script = "\n".join(lines)
        if not script:
            continue
        code, out, said = documents.typed("\n".join([*exports, script]), ROOT, environment, 300)
        exports += [line for line in lines if line.startswith("export ")]
        typed += 1
        shown = block.output
        as_shown = shown is None or (
            documents.shows_progress(shown, said) if "ETA" in shown else documents.shows(shown, out)
        )
        if code != 0 or not as_shown:
            failed += 1
            print(f"line {block.line}: ended with {code}\n{script}\n{out}\n{said}", flush=True)
    if running:
        running.end(RUN_INTERRUPTED)
    print(f"{document.name}: {typed} blocks typed, {failed} failed", flush=True)
    return 1 if failed or not typed else 0


if __name__ == "__main__":
    if not processes.isolate_network():
        raise SystemExit("no network namespace can be had")
    sys.exit(walk(ROOT / sys.argv[1]))
