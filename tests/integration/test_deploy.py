"""What stands in deploy/: that the programs it is for take it, and that it fits the server."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import FETCHMILL_BIN, ServerTest, run_command
from processes import SANITIZED, bound
from upstreams import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose/compose.yaml"
PROMETHEUS = DEPLOY / "compose/prometheus.yml"
KUBERNETES = DEPLOY / "kubernetes/fetchmill.yaml"
UNIT = DEPLOY / "systemd/fetchmill.service"
PYTHON = "/usr/bin/python3"  # Debian's, with Debian's packages
TO_JSON = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"
COMES_ALONG = {"libc6", "libgcc-s1"}  # every library depends on them
COMES_ALONG |= {"libglib2.0-0"}  # with libvips42


def python_has(module):
    return subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True).returncode == 0


def yaml_documents(path):
    result = subprocess.run(
        [PYTHON, "-c", TO_JSON], input=path.read_bytes(), stdout=subprocess.PIPE, check=True
    )
    return json.loads(result.stdout)


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


def drain_seconds(environment):
    """How long the server may take to end, with these settings; they must be good ones."""
    checked = run_command("check-config", environment=environment)
    if checked.returncode != 0:
        raise AssertionError(checked)
    printed = run_command("print-config", environment=environment).stdout
    times = re.findall(r"^drain_(?:delay|timeout)_ms = (\d+)", printed, re.MULTILINE)
    assert len(times) == 2, printed
    return sum(map(int, times)) / 1000


class Programs(unittest.TestCase):
    """Each file is accepted by the program that reads it."""

    def assert_silent(self, *command):
        result = subprocess.run(command, capture_output=True, text=True, timeout=bound(60))
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)

    @needs("promtool")
    def test_prometheus(self):
        result = subprocess.run(["promtool", "check", "config", PROMETHEUS], capture_output=True)
        self.assertEqual(result.returncode, 0, result)

    @needs("docker-compose")
    def test_compose(self):
        self.assert_silent("docker-compose", "--file", COMPOSE, "config", "--quiet")

    @unittest.skipUnless(python_has("kubernetes"), "python3-kubernetes is not installed")
    def test_kubernetes(self):
        self.assert_silent(PYTHON, ROOT / "tests/integration/kubernetes_manifest.py", KUBERNETES)

    @needs("systemd-analyze")
    def test_systemd(self):
        text = UNIT.read_text().replace("/usr/local/bin/fetchmill", FETCHMILL_BIN)
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder, UNIT.name)
            unit.write_text(text)
            self.assert_silent("systemd-analyze", "verify", "--man=no", unit)


@unittest.skipUnless(python_has("yaml"), "python3-yaml is not installed")
class Manifests(ServerTest):
    settings = {"server.admin_listen": "127.0.0.1:0"}

    def test_compose_gives_it_time_to_drain(self):
        (document,) = yaml_documents(COMPOSE)
        service = document["services"]["fetchmill"]
        grace = int(service["stop_grace_period"].removesuffix("s"))
        self.assertGreater(grace, drain_seconds(service["environment"]))

    def test_prometheus_scrapes_the_service_of_the_compose_file(self):
        (scrape,) = yaml_documents(PROMETHEUS)[0]["scrape_configs"]
        (target,) = scrape["static_configs"][0]["targets"]
        (compose,) = yaml_documents(COMPOSE)
        self.assertIn(target.removesuffix(":8080"), compose["services"])

    def test_kubernetes_gives_it_time_to_drain(self):
        pod = yaml_documents(KUBERNETES)[0]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        environment = {entry["name"]: entry["value"] for entry in container["env"]}
        self.assertGreater(pod["terminationGracePeriodSeconds"], drain_seconds(environment))

    def test_kubernetes_selects_its_pods(self):
        deployment, service = yaml_documents(KUBERNETES)
        template = deployment["spec"]["template"]
        self.assertEqual(deployment["spec"]["selector"]["matchLabels"], template["metadata"]["labels"])
        self.assertEqual(service["spec"]["selector"], template["metadata"]["labels"])

    def test_kubernetes_probes_and_scrapes_what_answers(self):
        template = yaml_documents(KUBERNETES)[0]["spec"]["template"]
        (container,) = template["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        environment = {entry["name"]: entry["value"] for entry in container["env"]}
        listens = environment["FETCHMILL_SERVER_ADMIN_LISTEN"]
        self.assertEqual(listens, f"0.0.0.0:{ports['admin']}")
        probes = [
            container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        ]
        self.assertEqual({probe["port"] for probe in probes}, {"admin"})
        annotations = template["metadata"]["annotations"]
        self.assertEqual(annotations["prometheus.io/port"], str(ports["admin"]))
        paths = [probe["path"] for probe in probes] + [annotations.get("prometheus.io/path", "/metrics")]
        for path in paths:
            with self.server.raw_admin() as connection:
                connection.send_request("GET", path)
                self.assert_ok(connection.read_response())


class Texts(unittest.TestCase):
    def test_systemd_gives_it_time_to_drain(self):
        (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
        self.assertGreater(int(stop), drain_seconds({}))

    def test_the_image_has_the_version_of_the_sources(self):
        (label,) = re.findall(r'image\.version="(.*)"', (ROOT / "Dockerfile").read_text())
        project = (ROOT / "CMakeLists.txt").read_text()
        (version,) = re.findall(r"^project\(.* VERSION (\S+)", project, re.MULTILINE)
        self.assertEqual(label, version)

    @needs("dpkg-query")
    @needs("readelf")
    @unittest.skipIf(SANITIZED, "the sanitizers' libraries do not ship")
    def test_the_packages_of_its_libraries_are_listed(self):
        listed = [
            name
            for file in ("packages-runtime.txt", "packages-image.txt")
            for name in (DEPLOY / file).read_text().splitlines()
        ]
        dynamic = subprocess.run(
            ["readelf", "--dynamic", FETCHMILL_BIN], capture_output=True, text=True, check=True
        ).stdout
        for library in re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic):
            with self.subTest(library):
                owners = subprocess.run(
                    ["dpkg-query", "--search", f"*/{library}"], capture_output=True, text=True
                ).stdout
                packages = set(re.findall(r"^([^:\s,]+)", owners, re.MULTILINE))
                self.assertTrue(packages & ({*listed} | COMES_ALONG), (library, packages))


if __name__ == "__main__":
    harness.main()
