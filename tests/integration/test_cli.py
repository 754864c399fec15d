"""The command line: commands, exit codes, and configuration mistakes."""

import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

import harness
from harness import FETCHMILL_BIN, TESTING_BIN, Fetchmill, clean_environment, free_port, run_command
from processes import bound
from upstreams import ROOT

OPS = ("identity", "json.select", "json.aggregate", "json.validate", "hash", "cpu.loop")
COMMANDS = ("serve", "fetch", "batch", "process", "check-config", "print-config", "ops",
            "healthcheck", "completions", "version")


class Commands(unittest.TestCase):
    def test_help_lists_the_commands(self):
        for flag in ("--help", "-h"):
            result = run_command(flag)
            self.assertEqual(result.returncode, 0, result)
            for command in COMMANDS:
                self.assertIn(command, result.stdout)

    def test_help_of_serve_lists_every_setting_with_its_default(self):
        result = run_command("serve", "--help")
        self.assertEqual(result.returncode, 0, result)
        for name in ("server.listen", "workers.count", "fetch.allow_networks", "batch.concurrency",
                     "log.level"):
            self.assertIn("--" + name, result.stdout)
        self.assertIn("127.0.0.1:8080", result.stdout)

    def test_version(self):
        result = run_command("version")
        self.assertEqual(result.returncode, 0, result)
        self.assertRegex(result.stdout, r"\b\d+\.\d+\.\d+\b")

    def test_unknown_commands_and_flags(self):
        for arguments in ((), ("srve",), ("serve", "--server.lisen", "x"), ("version", "extra")):
            with self.subTest(arguments=arguments):
                result = run_command(*arguments)
                self.assertEqual(result.returncode, 2, result)
                self.assertNotEqual(result.stderr, "")
        self.assertIn("server.lisen", run_command("serve", "--server.lisen", "x").stderr)

    def test_ops(self):
        result = run_command("ops")
        self.assertEqual(result.returncode, 0, result)
        for op in OPS:
            self.assertIn(op, result.stdout)

    def test_output_that_is_lost_is_a_failure(self):
        for command in ("help", "version", "print-config", "ops", "completions bash", "serve --help"):
            for target in (">/dev/full", ">&-"):
                with self.subTest(command=command, target=target):
                    result = subprocess.run(
                        ["sh", "-c", f'"$0" {command} {target}', FETCHMILL_BIN],
                        stderr=subprocess.PIPE, text=True, env=clean_environment(), check=False,
                    )
                    self.assertEqual(result.returncode, 1, result)
                    self.assertIn("cannot write to standard output", result.stderr)

    def test_the_shipping_binary_has_no_test_ops(self):
        self.assertNotIn("spin_forever", run_command("ops").stdout)
        self.assertNotIn(b"spin_forever", pathlib.Path(FETCHMILL_BIN).read_bytes())
        self.assertIn("spin_forever", run_command("ops", binary=TESTING_BIN).stdout)


class Completions(unittest.TestCase):
    """What shells make of the scripts. In each case the last word is the one to complete."""

    cases = {
        ("fe",): {"fetch"},
        ("fetch", "--op", "json.v"): {"json.validate"},
        ("batch", "--op", "hash", "--al"): {"--algorithm"},
        ("fetch", "--max-r"): {"--max-redirects", "--max-result-bytes"},
        ("process", "--content"): {"--content-type"},
        ("process", "--op", "hash", "--al"): {"--algorithm"},
        ("serve", "--server.lis"): {"--server.listen"},
        ("completions", "z"): {"zsh"},
        ("ops", "--python."): {"--python.modules"},
        ("version", "--server.lis"): set(),
    }

    def script(self, shell):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = pathlib.Path(folder, shell)
        path.write_text(run_command("completions", shell).stdout)
        return path

    def run_shell(self, *command):
        if not shutil.which(command[0]):
            self.skipTest(f"no {command[0]} here")
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=bound(20)
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""), command)
        return result.stdout

    def test_bash(self):
        call = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fetchmill; '
        call += 'printf "%s\\n" "${COMPREPLY[@]}"'
        for words, expected in self.cases.items():
            with self.subTest(words=words):
                out = self.run_shell("bash", "-c", call, self.script("bash"), "fetchmill", *words)
                self.assertEqual(set(out.split()), expected)

    def test_fish(self):
        for words, expected in self.cases.items():
            with self.subTest(words=words):
                line = " ".join(("fetchmill", *words))
                call = f"source {self.script('fish')}; complete -C '{line}'"
                out = self.run_shell("fish", "--no-config", "-c", call)
                self.assertEqual({line.split("\t")[0] for line in out.splitlines()}, expected)

    def test_zsh(self):
        # The functions that only exist while zsh completes, so far as the script needs them.
        call = 'compdef() { : }; compadd() { print -l -- ${(M)@:#$prefix*} }; _files() { : }; '
        call += 'source "$0"; words=("$@"); CURRENT=$#words; prefix=$words[-1]; _fetchmill'
        for words, expected in self.cases.items():
            with self.subTest(words=words):
                script = self.script("zsh")
                out = self.run_shell("zsh", "-f", "-c", call, script, "fetchmill", *words)
                self.assertEqual(set(out.split()), expected)


class Documents(unittest.TestCase):
    def test_the_man_page_is_clean(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc here")
        page = ROOT / "docs/fetchmill.1"
        result = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", page],
            capture_output=True,
            text=True,
            check=False,
        )
        findings = [line for line in result.stdout.splitlines() if "missing date" not in line]
        self.assertEqual(findings, [])

    def test_installation(self):
        build = pathlib.Path(FETCHMILL_BIN).parent
        if not (build / "cmake_install.cmake").exists():
            self.skipTest("no build folder here")
        prefix = self.enterContext(tempfile.TemporaryDirectory())
        subprocess.run(
            ["cmake", "--install", build, "--prefix", prefix], check=True, capture_output=True
        )
        for path in ("bin/fetchmill", "share/man/man1/fetchmill.1",
                     "share/bash-completion/completions/fetchmill",
                     "share/zsh/site-functions/_fetchmill",
                     "share/fish/vendor_completions.d/fetchmill.fish"):
            self.assertGreater(pathlib.Path(prefix, path).stat().st_size, 1000, path)


class Configuration(unittest.TestCase):
    def write(self, text):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = pathlib.Path(folder, "fetchmill.toml")
        path.write_text(text)
        return path

    def test_a_good_configuration(self):
        path = self.write('[server]\nlisten = "127.0.0.1:9"\n[workers]\ncount = 3\n')
        self.assertEqual(run_command("check-config", "--config", path).returncode, 0)
        self.assertEqual(run_command("check-config").returncode, 0)

    def test_all_mistakes_are_listed_at_once(self):
        path = self.write(
            '[server]\nlisten = "nonsense"\nlisen = "x"\n[workers]\ncount = -3\n'
            "[fetch]\nmax_bytes = \"many\"\n[nosuch]\na = 1\n"
        )
        for command in ("check-config", "serve"):
            with self.subTest(command):
                result = run_command(
                    command,
                    "--config",
                    path,
                    "--fetch.allow_networks",
                    "300.0.0.0/8",
                    environment={"FETCHMILL_LOG_LEVEL": "loud"},
                )
                self.assertEqual(result.returncode, 2, result)
                for key in ("server.listen", "server.lisen", "workers.count", "fetch.max_bytes",
                            "nosuch", "fetch.allow_networks", "log.level"):
                    self.assertIn(key, result.stderr)
                for value in ("nonsense", "-3", "300.0.0.0/8", "loud"):
                    self.assertIn(value, result.stderr)

    def test_files_that_cannot_be_read(self):
        for path in ("/nonexistent/fetchmill.toml", self.write("[server\n")):
            with self.subTest(path=path):
                result = run_command("check-config", "--config", path)
                self.assertEqual(result.returncode, 2, result)
                self.assertIn(str(path), result.stderr)

    def test_flag_over_environment_over_file_over_default(self):
        path = self.write("[batch]\nconcurrency = 11\nmax_tasks = 12\nmax_concurrency = 1013\n")
        result = run_command(
            "print-config",
            "--config",
            path,
            "--batch.concurrency",
            "31",
            environment={"FETCHMILL_BATCH_CONCURRENCY": "21", "FETCHMILL_BATCH_MAX_TASKS": "22"},
        )
        self.assertEqual(result.returncode, 0, result)
        for expected in (r"\bconcurrency = 31\b", r"max_tasks = 22\b", r"max_concurrency = 1013\b",
                         r"max_redirects = 5\b"):
            self.assertRegex(result.stdout, expected)

    def test_what_is_printed_can_be_read_again(self):
        printed = run_command("print-config", "--workers.count", "7").stdout
        again = run_command("print-config", "--config", self.write(printed))
        self.assertEqual(again.stdout, printed)

    def test_unknown_environment_names(self):
        result = run_command("check-config", environment={"FETCHMILL_SERVER_LISEN": "x"})
        self.assertEqual(result.returncode, 2, result)
        self.assertIn("FETCHMILL_SERVER_LISEN", result.stderr)


class Serving(unittest.TestCase):
    def test_healthcheck(self):
        with Fetchmill() as server:
            address = "%s:%d" % server.address
            result = run_command("healthcheck", "--server.listen", address)
            self.assertEqual(result.returncode, 0, result)
        result = run_command("healthcheck", "--server.listen", f"127.0.0.1:{free_port()}")
        self.assertEqual(result.returncode, 1, result)

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            result = run_command("serve", "--server.listen", address)
        self.assertEqual(result.returncode, 1, result)
        self.assertIn(address, result.stderr)

    def test_the_log_is_json_a_line(self):
        with Fetchmill() as server:
            server.get("/healthz")
        for entry in server.log:
            self.assertLessEqual({"time", "level", "component", "message"}, set(entry), entry)

    def test_credentials_are_not_logged(self):
        with Fetchmill({"log.level": "debug"}) as server:
            url = "http://user:hunter2@example.com/?token=hunter2"
            server.fetch(url, headers={"Authorization": "hunter2"})
            server.request("GET", "/livez", headers={"Authorization": "hunter2"})
        self.assertNotIn("hunter2", json.dumps(server.log))

    def test_the_defaults_refuse_loopback(self):
        with Fetchmill({"fetch.allow_networks": None}) as server:
            response = server.fetch("http://127.0.0.1:8080/")
            self.assertEqual(response.json()["code"], "address_denied")


if __name__ == "__main__":
    harness.main()
