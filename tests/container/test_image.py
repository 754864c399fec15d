"""The image, run by a container engine the way a cautious operator would. run.sh builds it."""

import contextlib
import hashlib
import http.client
import http.server
import itertools
import json
import os
import pathlib
import resource
import shlex
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

import processes  # noqa: E402
from pictures import png  # noqa: E402
from processes import eventually  # noqa: E402
from upstreams import Certificates  # noqa: E402

ENGINE = shlex.split(os.environ["FETCHMILL_ENGINE"])
REVISION = os.environ["FETCHMILL_REVISION"]
IMAGE = "localhost/fetchmill"
SERVER = ("127.0.0.1", 8080)  # in a network of this test's own
NOBODY = 65532
SHM_BYTES = 64 << 20
# A compiler or a shell with its libraries would be more.
SIZE_MAX = 120 << 20
SIZE_MAX_OF_ALL_OPS = 320 << 20
SECCOMP = "/usr/share/containers/seccomp.json"


def engine(*arguments, check=True):
    """Runs the engine to its end; returns the CompletedProcess."""
    result = subprocess.run([*ENGINE, *arguments], capture_output=True, text=True, timeout=180)
    if check and result.returncode != 0:
        raise AssertionError(f"{arguments}: {result.stderr}")
    return result


def inspect(kind, name):
    (found,) = json.loads(engine(kind, "inspect", name).stdout)
    return found


def docker_profile():
    """The engine's default profile, narrowed to what Docker's refuses besides.

    Docker answers clone3 with ENOSYS, so that programs fall back, and knows no io_uring.
    """
    profile = json.loads(pathlib.Path(SECCOMP).read_text())
    refused = ["clone3", "io_uring_enter", "io_uring_register", "io_uring_setup"]
    for rule in profile["syscalls"]:
        rule["names"] = [name for name in rule["names"] if name not in refused]
    answer = {"action": "SCMP_ACT_ERRNO", "errnoRet": 38, "args": [], "includes": {}, "excludes": {}}
    profile["syscalls"].append({"names": refused, **answer})
    return profile


class Origin:
    """An upstream on a free port. What is fetched from /held comes when `release` is set."""

    def __init__(self, certificates=None):
        self.asked, self.release = threading.Event(), threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/held":
                    outer.asked.set()
                    outer.release.wait(20)
                body = json.dumps({"path": self.path}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificates:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.path("good.pem"), certificates.path("good.key"))
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


class Container:
    """The image's server, ready. Without a privilege, a writable file or a network but loopback."""

    _numbers = itertools.count()
    # No more descriptors and processes than this test has itself.
    _files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
    _cautious = [
        "--network=host",
        "--read-only",
        "--read-only-tmpfs=false",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        f"--shm-size={SHM_BYTES}b",
        f"--ulimit=nofile={_files}:{_files}",
        "--ulimit=nproc=4096:4096",
        "--health-interval=disable",  # it is run when a test says so
        "--log-driver=k8s-file",
        "--env=FETCHMILL_FETCH_ALLOW_NETWORKS=127.0.0.0/8",
    ]

    def __init__(self, *options):
        self.name = f"fetchmill-{next(self._numbers)}"
        with tempfile.NamedTemporaryFile("w", suffix=".json") as profile:
            json.dump(docker_profile(), profile)
            profile.flush()
            seccomp = f"--security-opt=seccomp={profile.name}"
            run = ["run", "--detach", "--name", self.name, *self._cautious, seccomp, *options]
            engine(*run, IMAGE)
        self.pid = inspect("container", self.name)["State"]["Pid"]
        try:
            eventually(self.is_ready, "the server is ready")
        except BaseException as error:
            error.add_note(self.log())
            self.remove()
            raise

    def request(self, method, path, body=None, headers=None, **query):
        """(status, body)"""
        connection = http.client.HTTPConnection(*SERVER, timeout=20)
        with contextlib.closing(connection):
            target = f"{path}?{urllib.parse.urlencode(query)}" if query else path
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()

    def is_ready(self):
        with contextlib.suppress(OSError):
            return self.request("GET", "/readyz")[0] == 200
        return False

    def log(self):
        return engine("logs", self.name).stderr

    def health(self):
        return engine("healthcheck", "run", self.name, check=False).returncode

    def family(self):
        return [self.pid, *processes.descendants(self.pid)]

    def stop(self):
        """As the engine does it; returns the exit code."""
        engine("stop", "--time=30", self.name)
        return inspect("container", self.name)["State"]["ExitCode"]

    def remove(self):
        engine("rm", "--force", "--time=0", self.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


class ImageItself(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.image = inspect("image", IMAGE)
        cls.root = pathlib.Path(engine("image", "mount", IMAGE).stdout.strip())
        cls.addClassCleanup(engine, "image", "unmount", IMAGE)

    def test_what_it_says_of_itself(self):
        config = self.image["Config"]
        version = engine("run", "--rm", *Container._cautious, IMAGE, "version").stdout
        self.assertIn(REVISION, version)
        labels = {
            name.removeprefix("org.opencontainers.image."): value
            for name, value in config["Labels"].items()
        }
        self.assertIn(labels["version"], version)
        self.assertEqual(labels["revision"], REVISION)
        self.assertLessEqual({"title", "description", "licenses"}, labels.keys())
        self.assertEqual(config["User"], f"{NOBODY}:{NOBODY}")
        self.assertEqual(config["StopSignal"], "SIGTERM")
        self.assertEqual(list(config["ExposedPorts"]), ["8080/tcp"])
        self.assertIn("FETCHMILL_SERVER_LISTEN=0.0.0.0:8080", config["Env"])
        self.assertEqual(self.image["Healthcheck"]["Test"][-1], "healthcheck")

    def test_size(self):
        with tempfile.TemporaryDirectory() as folder:
            archive = pathlib.Path(folder, "image.tar")
            engine("save", "--format=oci-archive", f"--output={archive}", IMAGE)
            compressed = archive.stat().st_size
        size = self.image["Size"]
        print(f"image: {size / 1e6:.1f} MB, {compressed / 1e6:.1f} MB compressed", flush=True)
        is_core = "ON" not in (os.environ["IMAGE_OPS"], os.environ["PYTHON_OPS"])
        self.assertLess(size, SIZE_MAX if is_core else SIZE_MAX_OF_ALL_OPS)

    def test_nothing_else_is_in_it(self):
        top = {path.name for path in self.root.iterdir()} - {"dev", "proc", "sys", "run"}
        self.assertEqual(top, {"etc", "lib", "lib64", "usr", "var"})
        files = [path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()]
        programs = [path for path in files if path.parent.name in ("bin", "sbin")]
        self.assertEqual(programs, [self.root / "usr/local/bin/fetchmill"])
        for path in files:
            mode = path.stat().st_mode
            self.assertEqual(mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH), 0, path)
            self.assertEqual(path.stat().st_uid, 0, path)

    def test_each_package_is_named_with_its_copyright(self):
        packages = {path.name for path in (self.root / "var/lib/dpkg/status.d").iterdir()}
        self.assertLessEqual({"libc6", "libssl3", "ca-certificates"}, packages)
        self.assertTrue((self.root / "usr/share/doc/fetchmill/LICENSE").is_file())
        notices = {path.parent.name for path in (self.root / "usr/share/doc").glob("*/copyright")}
        self.assertEqual(notices, packages)


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.origin = cls.enterClassContext(Origin())
        cls.server = cls.enterClassContext(Container())

    def test_it_fetches_and_processes(self):
        answer = self.server.request(
            "GET", "/v1/fetch", url=f"{self.origin.url}/a", op="json.select", pointer="/path"
        )
        self.assertEqual(answer, (200, b'"/a"'))
        processed = self.server.request(
            "POST", "/v1/process", b"abc", {"Content-Type": "text/plain"}, op="hash", algorithm="md5"
        )
        self.assertEqual(processed, (200, b"900150983cd24fb0d6963f7d28e17f72"))

    def test_its_processes_have_no_privileges(self):
        family = self.server.family()
        self.assertGreaterEqual(len(family), 3, "loop, spawner, workers")
        for pid in family:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
            fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
            self.assertEqual(set(fields["Uid"].split()), {str(NOBODY)})
            self.assertEqual(set(fields["Gid"].split()), {str(NOBODY)})
            self.assertEqual(int(fields["CapEff"], 16), 0)
            self.assertEqual((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"))

    def test_its_root_is_read_only_and_shared_memory_unused(self):
        mounts = pathlib.Path(f"/proc/{self.server.pid}/mountinfo").read_text().splitlines()
        (options,) = [line.split()[5] for line in mounts if line.split()[4] == "/"]
        self.assertIn("ro", options.split(","))
        shm = os.statvfs(f"/proc/{self.server.pid}/root/dev/shm")
        self.assertEqual(shm.f_blocks * shm.f_frsize, SHM_BYTES)
        self.assertEqual(shm.f_bfree, shm.f_blocks)

    def test_nothing_was_amiss_at_its_start(self):
        levels = {json.loads(line)["level"] for line in self.server.log().splitlines()}
        self.assertEqual(levels, {"info"})

    def test_workers_have_the_converters_of_charsets(self):
        (spawner,) = processes.children(self.server.pid)
        maps = pathlib.Path(f"/proc/{spawner}/maps").read_text()
        for converter in ("ISO8859-1.so", "CP1252.so", "SJIS.so"):
            self.assertIn(f"gconv/{converter}", maps)

    def test_the_health_check_sees_a_server_that_hangs(self):
        self.assertEqual(self.server.health(), 0)
        os.kill(self.server.pid, 19)  # SIGSTOP
        try:
            self.assertNotEqual(self.server.health(), 0)
        finally:
            os.kill(self.server.pid, 18)  # SIGCONT

    def test_as_first_process_it_takes_orphans_away(self):
        def children():
            listed = pathlib.Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children")
            return set(listed.read_text().split())

        before = children()
        with tempfile.TemporaryDirectory() as folder:
            fifo = os.path.join(folder, "fifo")
            os.mkfifo(fifo)
            enter = ["nsenter", f"--target={self.server.pid}", "--pid", "--"]
            # The shell ends; what it left becomes the first process's child.
            subprocess.run([*enter, "sh", "-c", 'cat <"$0" >"$0.end" &', fifo], check=True)
            eventually(lambda: children() > before, "the orphan has a new parent")
            with open(fifo, "w"):
                pass
            eventually(lambda: children() == before, "the orphan is gone, also as a zombie")


class MoreOps(unittest.TestCase):
    """What the core is without."""

    @unittest.skipIf(os.environ["IMAGE_OPS"] != "ON", "built without the image ops")
    def test_images(self):
        with Container() as server:
            for name in ("jpeg", "webp", "avif"):
                made = server.request(
                    "POST", "/v1/process", png(60, 40), op="image.resize", width=30, format=name
                )
                self.assertEqual(made[0], 200, made)
                status, info = server.request("POST", "/v1/process", made[1], op="image.info")
                self.assertEqual((status, json.loads(info)["format"]), (200, name))

    @unittest.skipIf(os.environ["PYTHON_OPS"] != "ON", "built without Python's")
    def test_python(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder).chmod(0o755)
            pathlib.Path(folder, "digest.py").write_text(
                "import hashlib\n"
                "def process(body: memoryview, params: dict) -> str:\n"
                "    return hashlib.sha256(body).hexdigest()\n"
            )
            with Container(
                f"--volume={folder}:/python:ro", "--env=FETCHMILL_PYTHON_MODULES=/python"
            ) as server:
                answer = server.request("POST", "/v1/process", b"abc", op="py.digest")
        self.assertEqual(answer, (200, hashlib.sha256(b"abc").hexdigest().encode()))


class Lives(unittest.TestCase):
    def test_sigterm_drains(self):
        with Origin() as origin, Container() as server:
            answers, codes = [], []
            fetch = threading.Thread(
                target=lambda: answers.append(
                    server.request("GET", "/v1/fetch", url=f"{origin.url}/held")
                )
            )
            fetch.start()
            self.assertTrue(origin.asked.wait(20))
            stop = threading.Thread(target=lambda: codes.append(server.stop()))
            stop.start()
            eventually(lambda: not server.is_ready(), "it takes no more work")
            self.assertEqual(answers, [])
            origin.release.set()
            fetch.join()
            stop.join()
        self.assertEqual(answers, [(200, b'{"path": "/held"}')])
        self.assertEqual(codes, [0])

    def test_a_mounted_bundle_is_trusted(self):
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        with Certificates() as certificates, Origin(certificates) as origin:
            with Container() as server:
                status, body = server.request("GET", "/v1/fetch", url=origin.url)
                self.assertEqual((status, json.loads(body)["code"]), (502, "tls_failed"))
            with Container(f"--volume={certificates.ca_file}:{bundle}:ro") as server:
                status, _ = server.request("GET", "/v1/fetch", url=origin.url)
                self.assertEqual(status, 200)

    def test_memory_follows_the_container_s_limit(self):
        with Container("--memory=512m") as server:
            metrics = server.request("GET", "/metrics")[1].decode()
            region = [
                float(line.split()[1])
                for line in metrics.splitlines()
                if line.startswith("fetchmill_region_bytes{")
            ]
            self.assertEqual(sum(region), 128 << 20)


if __name__ == "__main__":
    # Before anything starts: nothing of this connects elsewhere, and its ports are free.
    if not processes.isolate_network():
        sys.exit("no network namespace can be had")
    unittest.main(verbosity=2)
