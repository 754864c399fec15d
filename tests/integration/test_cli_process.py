"""fetchmill process: a pipeline over a file or standard input, without a server."""

import array
import fcntl
import gzip
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import termios
import unittest

import commands
import harness
import processes
from commands import Running, process
from harness import FETCHMILL_BIN, clean_environment
from processes import bound, eventually

LATIN1 = "caf\xe9".encode("latin-1")
EVERY_BYTE = bytes(range(256))
NAME_HASHED = json.dumps([{"op": "json.select", "pointer": "/0/name"}, {"op": "hash"}])


def hashed(data):
    return hashlib.sha256(data).hexdigest().encode()


class ProcessTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(commands.temporary_folder(self))

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def made_of(self, data, *arguments):
        """The result for that standard input."""
        result = process(*arguments, given=data)
        self.assertEqual((result.returncode, result.stderr), (0, b""), result)
        return result.stdout

    def assert_fails(self, result, code, exit_code=1):
        """Nothing on standard output; gives the sentence on standard error, which ends in the
        code."""
        self.assertEqual((result.returncode, result.stdout), (exit_code, b""), result)
        said = result.stderr.decode()
        self.assertTrue(said.startswith("fetchmill: "), said)
        self.assertTrue(said.endswith(f"({code})\n"), said)
        return said


class Inputs(ProcessTest):
    def test_a_file(self):
        path = self.file("bytes", EVERY_BYTE * 1000)
        self.assertEqual(self.made_of(b"other", "--op", "hash", path), hashed(EVERY_BYTE * 1000))

    def test_standard_input(self):
        for arguments in ((), ("-",)):
            for data in (b"", b"\0", EVERY_BYTE * 10_000):
                with self.subTest(arguments=arguments, bytes=len(data)):
                    self.assertEqual(self.made_of(data, "--op", "hash", *arguments), hashed(data))

    def test_a_file_as_standard_input_is_read_from_where_it_stands(self):
        path = self.file("text", b"read already, and this is left")
        with path.open("rb", buffering=0) as given:
            given.read(len(b"read already, and "))
            self.assertEqual(self.made_of(given, "--op", "identity"), b"this is left")

    def test_a_file_that_says_it_is_empty(self):
        version = pathlib.Path("/proc/version")
        self.assertEqual(version.stat().st_size, 0)
        self.assertEqual(self.made_of(b"", "--op", "identity", version), version.read_bytes())

    def test_input_from_a_terminal_is_asked_for(self):
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        with Running("process", "--op", "json.minify", stdin=slave, terminal=True) as running:
            os.close(slave)
            eventually(lambda: "Ctrl-D ends it" in running.said(), "it says what it waits for")
            os.write(master, b'{ "a": 1 }\n\x04')
            self.assertEqual(running.end()[:2], (0, [{"a": 1}]))


class Results(ProcessTest):
    def test_an_op_with_parameters(self):
        # `header` is an option of `fetch`, and here the op's.
        options = ["--op", "csv.to_json", "--header", "false", "--delimiter", ";"]
        self.assertEqual(json.loads(self.made_of(b"a;1\nb;2\n", *options)), [["a", "1"], ["b", "2"]])

    def test_a_pipeline_of_several_steps(self):
        data = json.dumps([{"name": "mill"}]).encode()
        path = self.file("steps.json", NAME_HASHED.encode())
        steps = b'[{op = "json.select", pointer = "/0/name"}, {op = "hash"}]'
        settings = self.file("f.toml", b"[pipelines.both]\nsteps = " + steps)
        for pipeline in ([NAME_HASHED], [path], ["both", "--config", settings]):
            with self.subTest(pipeline[0]):
                self.assertEqual(self.made_of(data, "--pipeline", *pipeline), hashed(b'"mill"'))

    def test_bytes_that_are_no_text(self):
        data = EVERY_BYTE * 12_000
        same = self.made_of(data, "--op", "identity")
        self.assertTrue(same == data, "more than a pipe takes at once")
        packed = self.made_of(data, "--op", "compress", "--codec", "gzip")
        self.assertTrue(gzip.decompress(packed) == data)

    def test_the_content_type_tells_the_charset(self):
        given = ["--content-type", "text/plain; charset=iso-8859-1"]
        self.assertEqual(self.made_of(LATIN1, "--op", "text.decode", *given).decode(), "caf\xe9")

    def test_with_its_head(self):
        options = ["--op", "identity", "--content-type", "text/html; charset=utf-8", "-i"]
        head, _, body = self.made_of(b"<p>", *options).decode().partition("\n\n")
        self.assertEqual(body, "<p>")
        self.assertTrue(
            head.startswith("HTTP/1.1 200\nContent-Type: text/html; charset=utf-8\nETag: "), head
        )
        self.assertNotIn("Upstream", head)

    def test_as_an_outcome(self):
        outcome = json.loads(self.made_of(b'{"a":[1]}', "--op", "json.minify", "--envelope"))
        self.assertEqual((outcome["type"], outcome["result"]), ("result", {"a": [1]}))
        self.assertFalse({"url", "upstream", "cache"} & set(outcome), outcome)
        failed = process("--op", "json.minify", "--envelope", given=b"{")
        self.assertEqual(failed.returncode, 1)
        error = json.loads(failed.stdout)["error"]
        self.assertEqual((error["code"], error["stage"]), ("processing_failed", "process"))


class Failures(ProcessTest):
    def test_of_the_op(self):
        path = self.file("half.json", b"{")
        for arguments, data, name in ((["-"], b"{", "standard input"), ([path], b"", str(path))):
            with self.subTest(name):
                result = process("--op", "json.minify", *arguments, given=data)
                said = self.assert_fails(result, "processing_failed")
                self.assertTrue(said.startswith(f"fetchmill: {name}: "), said)

    def test_input_of_the_limit_and_larger(self):
        # Nothing else may be larger, so that this is also all that a slot holds.
        limits = []
        for name in ("server.max_body_bytes", "fetch.max_bytes", "merge.max_bytes"):
            limits += ["--" + name, "200000"]
        exact = b"x" * 200_000
        self.assertEqual(self.made_of(exact, "--op", "hash", *limits), hashed(exact))
        path = self.file("exact", exact)
        self.assertEqual(self.made_of(b"", "--op", "hash", path, *limits), hashed(exact))
        path = self.file("larger", exact + b"x")
        for file, data in ((path, b""), ("-", exact + b"x"), ("/dev/zero", b"")):
            with self.subTest(file):
                result = process("--op", "hash", file, *limits, given=data)
                said = self.assert_fails(result, "payload_too_large")
                self.assertIn("larger than server.max_body_bytes (200000 bytes)", said)

    def test_mistakes_in_usage_start_nothing(self):
        cases = [
            (["/nonexistent"], "the file '/nonexistent' cannot be read: No such file"),
            (["/dev/null/x"], "the file '/dev/null/x' cannot be read: Not a directory"),
            ([self.folder], "cannot be read: Is a directory"),
            (["a", "b"], "unexpected argument 'b'"),
            (["--pointer", "/a"], "--pointer: hash has no parameter of this name"),
            (["--method", "PUT"], "--method: hash has no parameter of this name"),
            (["--content-type", "a\nb"], "--content-type: a header's value must not hold control"),
            (["--server.max_body_bytes", "0"], "--server.max_body_bytes: server.max_body_bytes = 0"),
        ]
        for arguments, message in cases:
            with self.subTest(message):
                result = process("--op", "hash", *arguments)
                self.assertEqual((result.returncode, result.stdout), (2, b""), result)
                self.assertIn(message, result.stderr.decode())
        result = process(given=b"{}")
        self.assertEqual((result.returncode, result.stdout), (2, b""), result)
        self.assertIn(b"--op: say what to do with the input", result.stderr)

    def test_standard_input_that_cannot_be_read(self):
        folder = os.open(self.folder, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        result = process("--op", "hash", given=folder)
        self.assertEqual((result.returncode, result.stdout), (2, b""), result)
        self.assertIn(b"standard input cannot be read: Is a directory", result.stderr)
        closed = subprocess.run(
            ["sh", "-c", '"$0" process --op hash <&-', FETCHMILL_BIN],
            capture_output=True,
            timeout=bound(20),
            env=clean_environment(),
            check=False,
        )
        self.assertIn("cannot be read", self.assert_fails(closed, "invalid_request", exit_code=2))

    def test_signals_end_the_wait_for_input(self):
        def all_read():
            left = array.array("i", [0])
            fcntl.ioctl(running.child.stdin, termios.FIONREAD, left)
            return left[0] == 0

        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number), Running("process", "--op", "hash") as running:
                running.send("the beginning")
                eventually(all_read, "it waits for more")
                running.child.send_signal(number)
                # The pipe stays open until it has ended.
                self.assertEqual(running.child.wait(timeout=bound(20)), 1)
                _, lines, err = running.end()
                self.assertEqual(lines, [])
                self.assertTrue(err.endswith("(cancelled)\n"), err)

    def test_signals_end_the_wait_for_a_reader(self):
        path = self.file("bytes", EVERY_BYTE * 12_000)
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number), Running("process", "--op", "identity", path) as running:
                running.child.stdout.read(1)
                family = processes.descendants(running.child.pid)
                running.child.send_signal(number)
                self.assertEqual(running.child.wait(timeout=bound(20)), -number)
                eventually(lambda: not any(map(processes.alive, family)), "none is left behind")


if __name__ == "__main__":
    harness.main()
