"""Ten thousand fetches at once, on one loop."""

import concurrent.futures
import json
import resource

import harness
from harness import ServerTest
from processes import SANITIZED, bound, eventually, resident_bytes

FETCHES = 10_000
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)


class Scale(ServerTest):
    settings = {
        "batch.max_tasks": FETCHES,
        "batch.max_concurrency": FETCHES,
        "batch.max_body_bytes": 4 << 20,
        "fetch.max_connections": FETCHES,
        "fetch.max_connections_per_origin": FETCHES,
        "fetch.timeout_ms": 60_000,
    }

    @classmethod
    def setUpClass(cls):
        are_enough = DESCRIPTORS[1] >= FETCHES + 1000
        harness.need(are_enough, f"only {DESCRIPTORS[1]} descriptors are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS[1], DESCRIPTORS[1]))
        cls.addClassCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, DESCRIPTORS)
        super().setUpClass()

    def test_a_slow_upstream(self):
        before = resident_bytes(self.server.pid)
        batch = {
            "tasks": [{"url": self.origin.url(f"/delay?ms={bound(3000)}")}] * FETCHES,
            "concurrency": FETCHES,
        }
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.server.post, "/v1/batch", batch)
            eventually(
                lambda: self.server.metrics().value("fetch_connections", state="active") == FETCHES,
                "all are under way at once",
                within=30,
            )
            each = (resident_bytes(self.server.pid) - before) / FETCHES
            # The loop goes on serving others.
            self.assert_ok(self.server.get("/healthz"))
            lines = [json.loads(line) for line in running.result().body.splitlines()]
        self.assertEqual(lines[-1]["ok"], FETCHES, lines[0])
        print(f"memory of a fetch that waits: {each / 1024:.1f} KiB")
        if not SANITIZED:
            self.assertLess(each, 16 * 1024)
        eventually(lambda: self.server.metrics().value("tasks_total") >= FETCHES, "all are counted")


if __name__ == "__main__":
    harness.main()
