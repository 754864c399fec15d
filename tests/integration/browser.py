"""Chromium without a screen, driven by chromedriver's HTTP protocol (W3C WebDriver)."""

import json
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from processes import bound

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--no-proxy-server",
)


def is_there():
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


class Browser:
    """One tab with a profile of its own."""

    def __init__(self, width=1000, height=1400):
        self._folder = tempfile.TemporaryDirectory(
            prefix="fetchmill-browser-", ignore_cleanup_errors=True
        )
        self._driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._session = None
        try:
            started = re.compile(r"started successfully on port (\d+)")
            ports = (found[1] for line in self._driver.stdout if (found := started.search(line)))
            self._base = f"http://127.0.0.1:{next(ports)}"
            flags = [*FLAGS, f"--user-data-dir={self._folder.name}",
                     f"--window-size={width},{height}"]
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": flags},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            made = self._ask("/session", {"capabilities": {"alwaysMatch": wanted}})
            self._session = made["sessionId"]
        except BaseException:
            self.close()
            raise

    def _ask(self, path, document=None, method=None):
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self._base + path, body, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=bound(60)) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{path}: {error.read().decode()}") from None

    def _command(self, path, document=None):
        return self._ask(f"/session/{self._session}/{path}", document)

    def open(self, url):
        self._command("url", {"url": url})

    def run(self, script, *arguments):
        """What the body of a function returns in the page; of a promise, what it comes to."""
        return self._command("execute/sync", {"script": script, "args": list(arguments)})

    def console(self):
        """What the console got since this was last asked."""
        return self._command("se/log", {"type": "browser"})

    def requested(self):
        """The URLs that were asked for since this was last asked."""
        entries = self._command("se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in entries]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def close(self):
        if self._session:
            self._ask(f"/session/{self._session}", method="DELETE")
        self._driver.terminate()
        self._driver.wait()
        self._driver.stdout.close()
        self._folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
