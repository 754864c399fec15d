"""/openapi.json has no errors for @redocly/cli, which npx fetches.

Skipped, and ctest says so, where there is no npx or no network.
"""

import os
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import ServerTest
from processes import bound

LINTER = "@redocly/cli@2"


class Lint(ServerTest):
    def run_linter(self, *arguments):
        environment = {**os.environ, "REDOCLY_TELEMETRY": "off", "NO_COLOR": "1"}
        environment["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true"
        return subprocess.run(
            ["npx", "--yes", LINTER, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=bound(240),
            check=False,
        )

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="fetchmill-lint-"))
        if shutil.which("npx") is None:
            self.skip("there is no npx")
        try:
            version = self.run_linter("--version")
        except subprocess.TimeoutExpired:
            self.skip("fetching the linter took too long")
        if version.returncode != 0:
            self.skip("npx cannot fetch it: " + version.stderr.strip().splitlines()[-1])

    def skip(self, why):
        # CMakeLists.txt looks for these words.
        print(f"/openapi.json was not linted: {why}", flush=True)
        raise unittest.SkipTest(why)

    def test_no_errors(self):
        document = self.assert_ok(self.server.get("/openapi.json")).body
        with open(os.path.join(self.folder, "openapi.json"), "wb") as file:
            file.write(document)
        found = self.run_linter("lint", "openapi.json", "--format", "stylish")
        self.assertEqual(found.returncode, 0, found.stdout + found.stderr)


if __name__ == "__main__":
    harness.main()
