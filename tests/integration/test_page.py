"""The page for people, and the API from a web page, in Chromium.

Skipped, and ctest says so, where there is no chromium or no chromedriver.
"""

import http.server
import subprocess
import threading
import unittest
from urllib.parse import quote

import browser
import harness
from browser import Browser
from harness import ServerTest, clean_environment
from processes import bound, with_more_time

# What a page's script does with a batch: EventSource can only GET, and a batch is a POST.
READ_EVENTS = """
const [url, tasks] = arguments;
return (async () => {
  const response = await fetch(url, {
    method: "POST",
    headers: {"Content-Type": "application/json", "Accept": "text/event-stream"},
    body: JSON.stringify({tasks}),
  });
  const seen = [];
  let text = "";
  for (const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();;) {
    const {done, value} = await reader.read();
    if (done) break;
    text += value;
    for (let end; (end = text.indexOf("\\n\\n")) >= 0; text = text.slice(end + 2)) {
      const event = Object.fromEntries(
        text.slice(0, end).split("\\n").map((line) => line.split(/: (.*)/s)));
      seen.push({name: event.event, data: JSON.parse(event.data), at: performance.now()});
    }
  }
  return {status: response.status, rest: text, seen};
})();
"""


class BlankPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class OtherSite:
    """A web site of somebody else's, with a blank page."""

    def __init__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), BlankPage)
        self.origin = "http://127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class BrowserTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        if not browser.is_there():
            # CMakeLists.txt looks for these words.
            print("the page was not looked at: there is no chromium", flush=True)
            raise unittest.SkipTest("there is no chromium")
        cls.site = cls.enterClassContext(OtherSite())
        cls.settings = {"server.cors_origins": cls.site.origin}
        super().setUpClass()
        cls.tab = cls.enterClassContext(Browser())
        cls.api = "http://%s:%d" % cls.server.address

    def read_events(self, api):
        with_more_time(lambda late_ms: self.read_events_apart(api, late_ms), 1500, 6000)

    def read_events_apart(self, api, late_ms):
        tasks = [{"url": self.origin.url(f"/delay?ms={ms}")} for ms in (late_ms, 10)]
        read = self.tab.run(READ_EVENTS, api + "/v1/batch", tasks)
        self.assertEqual((read["status"], read["rest"]), (200, ""))
        names = [event["name"] for event in read["seen"]]
        self.assertEqual(names, ["outcome", "outcome", "summary"])
        first, second, summary = read["seen"]
        self.assertEqual((first["data"]["index"], second["data"]["index"]), (1, 0))
        self.assertEqual(summary["data"]["ok"], 2)
        self.assertGreater(second["at"] - first["at"], 700)  # it did not wait for the end


class Page(BrowserTest):
    def setUp(self):
        self.tab.open("about:blank")
        self.tab.console()
        self.tab.requested()
        self.tab.open(self.api + "/")

    def test_it_is_read_as_a_page(self):
        self.assertEqual(self.tab.run("return document.title"), "fetchmill")
        self.assertEqual(self.tab.run("return document.compatMode"), "CSS1Compat")
        rows = self.tab.run(
            "return [...document.querySelectorAll('td:first-child')].map((cell) => cell.innerText)"
        )
        paths = self.server.get("/openapi.json").json()["paths"]
        self.assertLessEqual({path.partition("{")[0] for path in paths}, {row for row in rows})

    def test_its_numbers_are_those_of_now(self):
        def numbers():
            self.tab.open(self.api + "/")
            rows = self.tab.run("""
                return [...document.querySelectorAll("tr")].map(
                  (row) => [...row.cells].map((cell) => cell.innerText));""")
            return {row[0]: row[1] for row in rows if len(row) == 2}

        before = numbers()
        self.assertEqual(before["Workers ready"], "2 of 2")
        self.assertRegex(before["Running for"], r"^\d+ (s|min \d+ s)$")
        for _ in range(3):
            self.assert_ok(self.server.fetch(self.origin.url("/json?records=1"), "hash"))
        after = numbers()
        for name, more in (("Fetches", 3), ("Pipelines run", 3), ("Requests answered", 4)):
            grown = [int(rows[name].replace("\u202f", "")) for rows in (before, after)]
            self.assertGreaterEqual(grown[1] - grown[0], more, name)

    def test_it_says_nothing_on_the_console_and_asks_nobody_else(self):
        self.assertEqual(self.tab.console(), [])
        requested = self.tab.requested()
        self.assertIn(self.api + "/", requested)
        for url in requested:
            self.assertTrue(url.startswith(self.api + "/"), url)

    def test_its_links_lead_somewhere(self):
        links = self.tab.run("return [...document.links].map((link) => link.href)")
        self.assertGreaterEqual(len(links), 5)
        for link in links:
            with self.subTest(link):
                self.assertTrue(link.startswith(self.api + "/"), link)
                self.assert_ok(self.server.get(link.removeprefix(self.api)))

    def test_no_width_needs_sideways_scrolling(self):
        measure = "return document.documentElement.scrollWidth - innerWidth"
        self.assertLessEqual(self.tab.run(measure), 0)
        with Browser(width=500) as narrow:  # Chromium has no narrower window
            narrow.open(self.api + "/")
            self.assertLessEqual(narrow.run(measure), 0)

    def test_its_command_lines_work_as_copied(self):
        lines = self.tab.run("""
            return [...document.querySelectorAll("pre")].map((block) => {
              getSelection().selectAllChildren(block);
              return getSelection().toString();
            });""")
        self.assertGreaterEqual(len(lines), 3)
        for line in lines:
            with self.subTest(line):
                self.assertIn(self.api, line)
                for elsewhere in ("https://example.com/", "https://example.org/"):
                    line = line.replace(elsewhere, self.origin.url("/"))
                result = subprocess.run(
                    ["bash", "-c", line.replace("curl ", "curl -fsS ", 1)],
                    capture_output=True,
                    env=clean_environment({"NO_PROXY": "*"}),
                    timeout=bound(20),
                    check=False,
                )
                self.assertEqual(result.returncode, 0, result)
                self.assertNotIn(b'"error"', result.stdout)

    def test_it_runs_no_script_of_others(self):
        """What got into the page all the same would not run, nor reach anybody."""
        ran = self.tab.run("""
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            return !!window.ran;""")
        self.assertIs(ran, False)
        asked = self.tab.run("return fetch('/livez').then(() => 'asked', () => 'refused')")
        self.assertEqual(asked, "refused")


class Scripts(BrowserTest):
    def test_events_in_a_page_of_the_same_origin(self):
        self.tab.open(self.api + "/livez")
        self.read_events(self.api)

    def test_events_in_a_page_of_a_listed_origin(self):
        self.tab.open(self.site.origin)
        self.read_events(self.api)

    def test_a_page_of_another_origin_reads_nothing(self):
        with OtherSite() as other:
            self.tab.open(other.origin)
            for target in ("/v1/ops", f"/v1/fetch?url={self.origin.url('/json')}"):
                read = self.tab.run(
                    "return fetch(arguments[0]).then((r) => r.text(), (error) => error.name)",
                    self.api + target,
                )
                self.assertEqual(read, "TypeError")

    def test_a_fetched_page_cannot_do_a_thing(self):
        """A page that a task fetched has no scripts and no origin, though it comes from ours."""
        html = quote("<title>still</title><script>document.title = 'ran'</script>")
        url = quote(self.origin.url(f"/text?type=text/html&text={html}"))
        self.tab.open(f"{self.api}/v1/fetch?url={url}")
        self.assertEqual(self.tab.run("return [document.title, origin]"), ["still", "null"])


if __name__ == "__main__":
    harness.main()
