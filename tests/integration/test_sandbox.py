"""What a taken-over worker can do: nothing. What a library can do there: all it needs."""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import harness
from harness import ServerTest
from processes import SANITIZED, bound, eventually
from upstreams import ROOT

REFUSE_BIN = os.environ.get(
    "FETCHMILL_REFUSE", str(ROOT / "build/release/tests/fetchmill-refuse")
)
PARTS = ("no_new_privs", "seccomp", "landlock")
# What library_work asks the local time of.
NOON = 1705320000
# Each attempt may end two workers; with many, none waits for its replacement.
MANY_WORKERS = {"workers.count": 24, "workers.region_mb": 64}
# These may be refused without the sandbox too, by the kernel's configuration, by a container's profile,
# for want of privileges, or by how memory and descriptors were made.
REFUSED_ANYWAY = {
    "add_key",
    "bpf",
    "change_root",
    "clone3",
    "clone_to_namespace",
    "enter_namespace",
    "i386_call",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "keyring",
    "load_kernel",
    "load_module",
    "loop_descriptors",
    "loop_memory",
    "make_all_executable",
    "make_executable_by_key",
    "map_bell",
    "map_files",
    "mount",
    "openat2",
    "perf_event",
    "pidfd_getfd",
    "ptrace",
    "read_spawner",
    "reopen_bell",
    "set_tracer",
    "set_user",
    "socket_alg",
    "socket_packet",
    "spawner_memory",
    "unmount",
    "unshare_files",
    "unshare_user",
    "userfaultfd",
    "write_elsewhere",
    "write_spawner",
    "write_to_inputs",
    "x32_call",
}


def attempts(server):
    """All that the op `attack` can try, as it says itself."""
    ops = {op["name"]: op for op in server.get("/v1/ops").json()["ops"]}
    return ops["attack"]["parameters"]["properties"]["what"]["enum"]


def attack(server, what):
    """What came of it: "succeeded", "refused: REASON" or "killed"."""
    # Bodies differ, so that none is refused for what another one did.
    response = server.process(what.encode(), "attack", what=what, loop=server.pid)
    if response.status == 200:
        return response.body.decode()
    code = response.json()["code"]
    return "killed" if code == "worker_crashed" else code


def attack_all(server):
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        names = attempts(server)
        return dict(zip(names, threads.map(lambda what: attack(server, what), names)))


def status_of(pid):
    """/proc/PID/status as {name: value}."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def is_filtered(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return status_of(pid)["Seccomp"] == "2"
    return False


def parts(server):
    """The sandbox as each of its three mirrors shows it; they must agree."""
    ready = server.get("/readyz").json()["sandbox"]
    metrics = server.metrics()
    gauges = {part: metrics.value("sandbox", part=part) for part in PARTS}
    logged = server.wait_for_log("sandbox")
    seen = {
        (ready["no_new_privs"], ready["seccomp"], ready["landlock_abi"] > 0),
        tuple(gauges[p] == 1 for p in PARTS),
        tuple(logged[p] != "off" for p in PARTS),
    }
    if len(seen) != 1:
        raise AssertionError(f"they differ: {ready}, {gauges}, {logged}")
    return seen.pop()


class SandboxTest(ServerTest):
    testing = True

    def assert_confined(self, server):
        def confined():
            # The youngest may be on its way into it.
            workers = server.workers()
            return workers and all(is_filtered(pid) for pid in workers) and workers

        for pid in eventually(confined, "all workers are confined"):
            status = status_of(pid)
            self.assertEqual(status["NoNewPrivs"], "1")
            # Leaving the bounding set takes a privilege, and matters only to who has one.
            privileged = int(status_of(server.pid)["CapEff"], 16) != 0
            for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb", *["CapBnd"] * privileged):
                self.assertEqual(int(status[kind], 16), 0, kind)

    def assert_serves(self, server):
        response = server.fetch(self.origin.url("/json?records=1"), "json.validate")
        self.assertEqual(response.status, 200, response)

    def assert_library_work(self, server, offset):
        response = self.assert_ok(server.process(b"", "library_work"))
        lines = response.body.decode().splitlines()
        self.assertGreater(len(lines), 10)
        bad = [line for line in lines if not line.endswith(": ok")]
        self.assertEqual(bad, [f"localtime: offset {offset}"])


class Confined(SandboxTest):
    settings = MANY_WORKERS

    def test_nothing_that_is_tried_succeeds(self):
        names = attempts(self.server)
        self.assertGreaterEqual(len(names), 40)
        body = os.urandom(100_000)
        digest = hashlib.sha256(body).hexdigest()
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            # Meanwhile other bodies pass through the same inputs.
            honest = [
                threads.submit(self.server.process, body, "hash", algorithm="sha256")
                for _ in range(200)
            ]
            found = attack_all(self.server)
            answers = [future.result() for future in honest]
        succeeded = {
            what: result
            for what, result in found.items()
            if result != "killed" and not result.startswith("refused: ")
        }
        # A sanitizer's reports need one.
        if SANITIZED:
            succeeded.pop("pipe")
        self.assertEqual(succeeded, {})
        for killed in ("execve", "ptrace", "kill_loop", "io_uring_setup", "set_bell_flags"):
            self.assertEqual(found[killed], "killed", killed)
        for refused in ("open_passwd", "socket_inet", "clone3"):
            self.assertNotEqual(found[refused], "killed", refused)
        # Those that shared a worker with an attack may have been ended with it, and say so.
        for answer in answers:
            if answer.status == 200:
                self.assertIn(digest.encode(), answer.body)
            else:
                self.assertEqual(answer.json()["code"], "worker_crashed")
        self.assertGreater(sum(answer.status == 200 for answer in answers), 150)
        self.assertIsNone(self.server.child.poll())
        eventually(lambda: len(self.server.workers()) == 25, "all workers are back")
        self.assert_confined(self.server)
        self.assert_serves(self.server)

    def test_libraries_work(self):
        self.assert_library_work(self.server, time.localtime(NOON).tm_gmtoff)

    def test_libraries_work_in_another_zone(self):
        server = self.start(environment={"TZ": "Europe/Berlin"})
        self.assert_library_work(server, 3600)

    def test_parts_are_shown(self):
        self.assert_confined(self.server)
        no_new_privs, seccomp, _ = parts(self.server)
        self.assertTrue(no_new_privs and seccomp)

    def test_nothing_of_the_environment_is_left(self):
        server = self.start(environment={"SECRET": "do-not-tell"})
        for pid in server.workers():
            with open(f"/proc/{pid}/environ", "rb") as file:
                # Not assertNotIn, which would print all of it.
                self.assertFalse(b"do-not-tell" in file.read())

    def test_abort_is_still_an_abort(self):
        server = self.start()
        server.process(b"", "crash", how="abort")
        obituary = server.wait_for_log("worker ended")
        self.assertEqual(obituary["ending"], f"signal {int(signal.SIGABRT)}", obituary)

    def test_workers_die_first_when_memory_runs_out(self):
        self.assert_confined(self.server)
        for pid in self.server.workers():
            with open(f"/proc/{pid}/oom_score_adj", encoding="utf-8") as file:
                self.assertEqual(file.read().strip(), "1000")


SECRET = "the secret of this test"
JQ_PROGRAMS = (
    "$ENV",
    "env",
    "[$ENV.SECRET, env.SECRET, (env | .SECRET), $ENV.HOME]",
    "def f: $ENV; def g: env; [f, g, (.. | env)]",
    "input_filename, input_line_number, $__loc__",
    "[inputs], (try input catch .)",
    "get_search_list, get_prog_origin, get_jq_origin",
    "$__prog_args",
    "secret",
    'import "secret" as s; s::secret',
    'import "secret" as $s; $s',
    'import "FOLDER/secret" as s; s::secret',
    'include "secret"; secret',
    'include "secret" {search: "FOLDER"}; secret',
    'import "secret" as $s {"search": "FOLDER"}; $s',
    '.; include "secret"; secret',
    'module {search: "FOLDER"}; import "secret" as s; s::secret',
    '"secret" | modulemeta',
    '"FOLDER/secret" | modulemeta',
    "debug, stderr, (. | debug | stderr)",
    "halt",
    "$ENV | halt_error",
    "{a: env} | halt_error(0)",
)
HTML_BODIES = (
    "<base href='URL'><iframe src='URL'></iframe><img src='URL'><link rel=import href='URL'>",
    "<meta http-equiv=refresh content='0;url=URL'><object data='URL'></object>",
    "<!DOCTYPE html SYSTEM 'URL' [<!ENTITY x SYSTEM 'URL'>]><p>&x;<xi:include href='URL'/>",
)
IMAGE_BODIES = (
    "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' "
    "width='9' height='9'><image width='9' height='9' xlink:href='URL'/></svg>",
    "<!DOCTYPE svg [<!ENTITY x SYSTEM 'URL'>]>"
    "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><text>&x;</text></svg>",
    "push graphic-context\nviewbox 0 0 9 9\nimage over 0,0 0,0 'URL'\npop graphic-context\n",
    "<?xml version='1.0'?><image><read filename='FOLDER/secret.txt'/></image>",
    "%!PS\n(FOLDER/secret.txt) run\n",
)


class Libraries(ServerTest):
    """What each library can be asked for outside of a body, asked."""

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="fetchmill-"))
        definition = f'def secret: "{SECRET}";\n'
        contents = (
            (".jq", definition),
            ("secret.jq", definition),
            ("secret.json", f'"{SECRET}"\n'),
            ("secret.txt", SECRET),
        )
        for name, content in contents:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(content)
        self.folder = folder
        self.url = f"file://{folder}/secret.txt"
        environment = {"SECRET": SECRET, "HOME": folder, "JQ_LIBRARY_PATH": folder}
        self.tried = self.start(environment=environment)
        _, *self.workers = self.tried.whole_family()

    def assert_tells_nothing(self, body, op, media_type, **parameters):
        with self.subTest(op, body=body, **parameters):
            headers = {"Content-Type": media_type}
            response = self.tried.process(body.encode(), op, headers, **parameters)
            self.assertIn(response.status, (200, 400, 422), response)
            self.assertNotIn(SECRET.encode(), response.body)
            return response

    def test_jq(self):
        for program in JQ_PROGRAMS:
            program = program.replace("FOLDER", self.folder)
            self.assert_tells_nothing("[1]", "jq", "application/json", program=program)
        # The programs can say it where they have it.
        told = self.tried.process(f'"{SECRET}"'.encode(), "jq", program="[., .]")
        self.assertEqual(told.json(), [SECRET, SECRET])
        self.assertEqual(self.tried.workers(), self.workers)

    def test_schemas(self):
        for reference in (self.url, self.url + "#", f"{self.folder}/secret.json", "secret.json"):
            for schema in ({"$ref": reference}, {"$schema": reference}, {"$dynamicRef": reference}):
                response = self.assert_tells_nothing(
                    "[1]", "json.validate", "application/json", schema=json.dumps(schema)
                )
                self.assertEqual(response.status, 400, response)
        self.assertEqual(self.tried.workers(), self.workers)

    def test_pages(self):
        ops = ("html.meta", "html.links", "html.text", "html.markdown")
        for page in (body.replace("URL", self.url) for body in HTML_BODIES):
            for op in ops:
                self.assert_tells_nothing(page, op, "text/html")
            self.assert_tells_nothing(page, "html.select", "text/html", selector="*", output="html")
        self.assertEqual(self.tried.workers(), self.workers)

    def test_images(self):
        self.need_image_ops()
        for body in IMAGE_BODIES:
            body = body.replace("URL", self.url).replace("FOLDER", self.folder)
            for op in ("image.info", "image.resize"):
                response = self.assert_tells_nothing(body, op, "image/png")
                self.assert_problem(response, "processing_failed")
        self.assertEqual(self.tried.workers(), self.workers)

    def test_encodings_are_not_paths(self):
        # glibc's converters are shared objects, found by name.
        for name in (f"{self.folder}/secret", "../../../../tmp/x", "UTF-8//TRANSLIT/../x"):
            document = f"<?xml version='1.0' encoding='{name}'?><a/>"
            self.assert_tells_nothing(document, "xml.select", "application/xml", xpath="/a")
            for op in ("text.stats", "text.decode"):
                self.assert_tells_nothing("a", op, f'text/plain; charset="{name}"')
                refused = self.assert_tells_nothing("a", op, "text/plain", charset=name)
                self.assertEqual(refused.status, 400, refused)
        self.assertEqual(self.tried.workers(), self.workers)


class Unprivileged(SandboxTest):
    user = 65532

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="fetchmill-"))
        os.chmod(self.folder, 0o755)

    def start_as_user(self, *prefix):
        # Where the user can reach it, wherever the build is.
        binary = shutil.copy(harness.TESTING_BIN, self.folder)
        become = f"setpriv --reuid {self.user} --regid {self.user} --clear-groups".split()
        return self.start(prefix=[*become, *prefix], binary=binary)

    def assert_all_works(self, server):
        self.assertEqual(status_of(server.pid)["Uid"].split()[0], str(self.user))
        self.assert_confined(server)
        self.assert_serves(server)
        self.assert_library_work(server, time.localtime(NOON).tm_gmtoff)
        self.assertEqual(attack(server, "open_passwd"), "refused: Permission denied")
        self.assertEqual(attack(server, "kill_loop"), "killed")
        # A dead worker is replaced, so the loop may signal and the spawner may fork.
        eventually(lambda: len(server.workers()) == 3, "two workers and the standby run")

    def test_works(self):
        self.assert_all_works(self.start_as_user())

    def test_works_as_in_a_container(self):
        refuse = shutil.copy(REFUSE_BIN, self.folder)
        server = self.start_as_user(refuse, "container")
        self.assert_all_works(server)
        self.assertEqual(parts(server), (True, True, False))


class Refused(SandboxTest):
    """On kernels that refuse a part."""

    def run_refused(self, what, **settings):
        """The end of a server that does not start."""
        flags = harness.setting_flags({**harness.DEFAULTS, **settings})
        return subprocess.run(
            [REFUSE_BIN, what, harness.TESTING_BIN, "serve", *flags],
            capture_output=True,
            text=True,
            timeout=bound(20),
            env=harness.clean_environment(),
            check=False,
        )

    def test_mandatory_parts_stop_the_start(self):
        for part in ("seccomp", "no_new_privs"):
            with self.subTest(part):
                end = self.run_refused(part)
                self.assertEqual(end.returncode, 1, end)
                self.assertIn(f"{part} (Invalid argument)", end.stderr)
                self.assertIn("best-effort", end.stderr)
                self.assertNotIn("listening", end.stderr)

    def test_best_effort_runs_with_the_rest(self):
        for part in ("seccomp", "no_new_privs"):
            with self.subTest(part):
                server = self.start({"workers.sandbox": "best-effort"}, prefix=[REFUSE_BIN, part])
                self.assertIs(server.get("/readyz").json()["sandbox"][part], False)
                self.assertFalse(dict(zip(PARTS, parts(server)))[part])
                warned = [e for e in server.log if e["level"] == "warn"]
                self.assertIn(part, str(warned))
                self.assert_serves(server)

    def test_landlock_holds_by_itself(self):
        server = self.start({"workers.sandbox": "best-effort"}, prefix=[REFUSE_BIN, "seccomp"])
        abi = server.get("/readyz").json()["sandbox"]["landlock_abi"]
        if abi == 0:
            self.skipTest("this kernel has no landlock")
        since = {1: ["open_passwd", "create_file", "make_directory", "own_memory_file"]}
        since[4] = ["bind", "connect"]
        since[6] = ["kill_loop", "kill_spawner"]
        for what in (what for first, names in since.items() if first <= abi for what in names):
            self.assertRegex(attack(server, what), "^refused: (Permission|Operation not p)", what)

    def test_landlock_is_not_mandatory(self):
        server = self.start(prefix=[REFUSE_BIN, "landlock"])
        self.assertEqual(parts(server), (True, True, False))
        self.assert_serves(server)


class Unconfined(SandboxTest):
    settings = {**MANY_WORKERS, "workers.sandbox": "off"}

    def test_most_of_the_same_succeeds(self):
        found = attack_all(self.server)
        refused = {what for what, result in found.items() if result != "succeeded"}
        self.assertEqual(refused - REFUSED_ANYWAY, set(), found)
        self.assertGreaterEqual(len(found) - len(refused), 60)
        self.assertEqual(parts(self.server), (False, False, False))


if __name__ == "__main__":
    harness.main()
