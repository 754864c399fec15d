"""The examples in documents: taking them out, typing them, and holding what came against them."""

import os
import pty
import re
import subprocess
import termios
import threading

# Languages of blocks. SHOWN is text, such as an output; MODULE a file that its first line names; CODE is
# built by tests/unit/workers/contributing.
SHELL, FILE, MODULE, CODE, SHOWN = "sh", "toml", "python", "cpp", ""


class Block:
    """A fenced block; `output` is the text of the block right behind a shell one, or None."""

    def __init__(self, language, text, line):
        self.language, self.text, self.line = language, text, line
        self.output = None


def fenced_blocks(text):
    """The blocks of a Markdown document; outputs stand with their commands."""
    blocks = []
    ended = None  # where the block before ended
    for found in re.finditer(r"^```(\w*)\n(.*?)^```\n", text, re.MULTILINE | re.DOTALL):
        block = Block(found[1], found[2], text.count("\n", 0, found.start()) + 1)
        if block.language == SHOWN and ended == found.start() and blocks[-1].language == SHELL:
            blocks[-1].output = block.text
        else:
            blocks.append(block)
        ended = found.end()
    return blocks


def save_modules(text, folder):
    """Puts the Python modules of a document where their first lines say, below `folder`."""
    for block in fenced_blocks(text):
        if block.language == MODULE:
            path = folder / re.match(r"# (python/\w+\.py)\n", block.text)[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)


def indented_lines(text):
    """The command lines of a Markdown document that are indented instead."""
    outside = re.sub(r"^```.*?^```\n", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"(?<=\n\n)(?: {4}.*\n)+", outside)


def manual_examples(page):
    """The commands in the EXAMPLES of a manual page, as they are typed."""
    section = page.partition(".SH EXAMPLES\n")[2].partition("\n.SH ")[0]
    signs = {"\\-": "-", "\\(aq": "'", "\\(ha": "^", "\\(ti": "~", "\\(ga": "`"}
    return [
        re.sub(r"\\-|\\\(..", lambda sign: signs[sign[0]], line)
        for line in re.findall(r"^\.nf\n(.*?)\n\.fi", section, re.MULTILINE | re.DOTALL)
    ]


def typed(script, folder, environment, timeout):
    """What comes of a script in bash: (exit code, standard output, what a terminal got as its
    standard error)."""
    terminal, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 120))  # room for the whole line of progress
    said = []

    def listen():
        try:
            while data := os.read(terminal, 4096):
                said.append(data)
        except OSError:  # nobody has it open any more
            pass

    reader = threading.Thread(target=listen)
    reader.start()
    try:
        result = subprocess.run(
            ["bash", "-euc", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            timeout=timeout,
            check=False,
        )
    finally:
        os.close(theirs)
        reader.join()
        os.close(terminal)
    return result.returncode, result.stdout, b"".join(said).decode()


# What no two runs share: a pattern for it in what is shown, and one for it in what came.
VARYING = [
    (r"(?<=_ms\":)[\d.]+", r"[\d.]+"),
    (r"(?<=;dur=)[\d.]+", r"[\d.]+"),
    (r"(?<=X-Request-Id: )\w{16}\b", r"\\w{16}"),
    (r"(?<=Date: )\w.*GMT\b", r"\\w{3}, \\d\\d \\w{3} \\d{4} [\\d:]{8} GMT"),
    (r"\d+% \[[#.]+\]", r"\\d+% \\[[#.]+\\]"),
    (r"\d[\d,]*(?=/20,000|/s)", r"\\d[\\d,.]*"),
    (r"(?<=  ok )\d[\d,]*", r"\\d[\\d,]*"),
    (r"(?<=ETA )[\d:]+", r"[\\d:]+"),
]


def pattern_of(shown):
    """A regular expression for what is shown: … is anything, varying numbers any such number.

    A line that is continued, indented, on the next is one line.
    """
    shown = re.sub(r"\n +", "", shown.strip("\n"))
    taken = []  # the expressions behind the marks

    def mark(expression):
        taken.append(expression)
        return f"\0{len(taken) - 1}\0"

    for varying, expression in VARYING:
        shown = re.sub(varying, lambda _, e=expression: mark(e.replace("\\\\", "\\")), shown)
    shown = shown.replace("…", mark(".*?"))
    return re.sub("\0(\\d+)\0", lambda found: taken[int(found[1])], re.escape(shown))


def in_order(text):
    """Outcomes by index: the order they come in is the batch's own affair."""
    lines = text.splitlines()
    if not all(line.startswith('{"type":') for line in lines):
        return text
    index = re.compile(r'"index":(\d+)')
    return "\n".join(sorted(lines, key=lambda l: int((index.search(l) or [0, 10**9])[1])))


def shows_progress(shown, said):
    """Whether a line of progress as shown, up to its ETA, was among what the terminal got."""
    lines = [line for line in re.split(r"[\r\n]|\x1b\[\w", said) if line.strip()]
    return any(shows(shown.partition("  ETA")[0] + "…", line) for line in lines)


def shows(shown, came):
    """Whether that is what came."""
    came = in_order(came.replace("\r", "").strip("\n"))
    return re.fullmatch(pattern_of(in_order(shown.strip("\n"))), came, re.DOTALL) is not None
