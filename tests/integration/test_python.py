"""Ops in Python: what they are given and may return, how they are described, what they cannot take down."""

import os
import pathlib
import signal
import tempfile
import unittest

import harness
from harness import ServerTest, run_command
from processes import SANITIZED, eventually

MODULES = pathlib.Path(__file__).parent / "python_modules"
PYTHON = "without FETCHMILL_PYTHON_OPS" not in run_command(
    "check-config", "--python.modules", MODULES
).stderr
JSON, TEXT, BYTES = "application/json", "text/plain; charset=utf-8", "application/octet-stream"


@unittest.skipUnless(PYTHON, "this build has no Python")
class PythonTest(ServerTest):
    settings = {"python.modules": MODULES}

    def call(self, name, body=b"", server=None, **parameters):
        query = {f"p.{key}": value for key, value in parameters.items()}
        return (server or self.server).process(body, f"py.{name}", **query)

    def json(self, name, body=b"", **parameters):
        return self.assert_ok(self.call(name, body, **parameters)).json()

    def failure(self, name, body=b"", **parameters):
        """The detail that it fails with."""
        response = self.call(name, body, **parameters)
        self.assert_problem(response, "processing_failed", stage="process")
        return response.json()["detail"]

    def step(self, server=None, **step):
        """The result of the step with an empty body, in a batch."""
        task = {"url": self.origin.url("/bytes?n=3"), "pipeline": [step]}
        (outcome,) = (server or self.server).batch([task]).outcomes
        return outcome


class Results(PythonTest):
    def test_every_kind(self):
        cases = [
            ("bytes", BYTES, b"\x00\xff"),
            ("bytearray", BYTES, b"ab"),
            ("body", BYTES, b"<body>"),
            ("part", BYTES, b"body"),
            ("str", TEXT, "grün".encode()),
            ("dict", JSON, '{"a":[1,2.5,null,true],"ü":"\u2028"}'.encode()),
            ("list", JSON, b"[]"),
            ("tuple", JSON, b'[1,"b"]'),
            ("int", JSON, b"1180591620717411303424"),
            ("float", JSON, b"0.1"),
            ("bool", JSON, b"false"),
            ("none", JSON, b"null"),
        ]
        for what, media_type, expected in cases:
            with self.subTest(what):
                response = self.assert_ok(self.call("returns", b"<body>", what=what))
                self.assertEqual(response.body, expected)
                self.assertEqual(response.header("content-type"), media_type)

    def test_what_is_none_of_them(self):
        cases = [
            ("nan", "process returned list, which is not bytes, str or JSON: Out of range float"),
            ("set", "process returned set, which is not bytes, str or JSON: Object of type set"),
            ("self", "process returned list, which is not bytes, str or JSON: Circular reference"),
            ("surrogate", "surrogates not allowed"),
            ("surrogate_inside", "surrogates not allowed"),
            ("stride", "underlying buffer is not C-contiguous"),
        ]
        for what, expected in cases:
            with self.subTest(what):
                self.assertIn(expected, self.failure("returns", b"<body>", what=what))

    def test_larger_than_allowed(self):
        url = self.origin.url("/text?text=a")
        step = ("py.returns", {"what": "large"})
        self.assert_problem(self.server.fetch(url, step, max_result_bytes=999), "result_too_large")
        self.assertEqual(self.server.fetch(url, step, max_result_bytes=1000).body, b"x" * 1000)

    def test_among_other_steps(self):
        steps = ["identity", ("py.returns", {"what": "part"}), ("hash", {"algorithm": "crc32"})]
        response = self.assert_ok(self.server.fetch(self.origin.url("/text?text=xhellox"), *steps))
        self.assertEqual(response.body, b"3610a686")

    def test_in_a_batch_and_its_metrics(self):
        def count():
            return self.server.metrics().value("tasks_total", op="py.returns")

        before = count()
        self.assertEqual(self.step(op="py.returns", what="str")["text"], "grün")
        self.assertEqual(self.step(op="py.returns", what="int")["result"], 2**70)
        self.assertEqual(count(), before + 2)

    def test_the_literature_s_function(self):
        for body in (b"", b"hello"):
            expected = sum(i * len(body) for i in range(1000))
            self.assertEqual(self.json("process_data", body), expected)


class Bodies(PythonTest):
    def test_an_array_copies_nothing(self):
        body = bytes(range(256)) * 4096
        self.assertEqual(
            self.json("array", body),
            {"sum": sum(body), "copied": False, "writeable": False, "standard": True},
        )

    def test_it_cannot_be_written(self):
        self.assertIn("TypeError: cannot modify read-only memory", self.failure("faults", b"x", how="write"))

    def recycled(self, server):
        return server.metrics().value("worker_restarts_total", reason="recycled")

    def test_a_kept_view_is_closed(self):
        server = self.start({**self.settings, "workers.count": 1})
        for how, error in [("view", "operation forbidden on released"), ("owner", "the body is gone")]:
            with self.subTest(how):
                pid, _ = self.assert_ok(self.call("keeps", b"secret", server, how=how)).json()
                again, seen = self.assert_ok(self.call("keeps", b"other", server, how="no")).json()
                self.assertEqual(pid, again)
                self.assertIn(error, seen[-1])
        # In a cycle that nobody can reach: that is not kept.
        self.assert_ok(self.call("keeps", b"secret", server, how="cycle"))
        self.assertEqual(self.recycled(server), 0)

    def test_what_cannot_be_closed_ends_its_worker(self):
        server = self.start({**self.settings, "workers.count": 1})
        for count, how in enumerate(("slice", "exception", "raise"), 1):
            with self.subTest(how):
                response = self.call("keeps", b"secret", server, how=how)
                self.assertEqual(response.status, 422 if how == "raise" else 200, response)
                eventually(lambda: self.recycled(server) == count, "the worker is replaced")
                _, seen = self.assert_ok(self.call("keeps", b"other", server, how="no")).json()
                self.assertEqual(seen, [])
        self.assert_ok(self.call("array", b"abc", server, keep="true"))
        eventually(lambda: self.recycled(server) == 4, "the worker is replaced")
        self.assert_ok(self.call("array", b"abc", server))
        self.assertEqual(server.metrics().value("worker_restarts_total"), 4)

    def test_nor_does_a_later_step_see_it(self):
        steps = [{"op": "py.keeps", "how": "slice"}, {"op": "py.keeps", "how": "no"}]
        response = self.server.fetch(self.origin.url("/text?text=abc"), pipeline=steps)
        self.assert_problem(response, "processing_failed", field="pipeline[1]")
        self.assertIn("kept a view of its body", response.json()["detail"])


class Parameters(PythonTest):
    def test_by_their_annotations(self):
        told = self.json("typed", count="3", factor="2", url="u", names=["a", "b"], flag="true")
        self.assertEqual((told["count"], told["factor"], told["url"], told["flag"]), (3, 2, "u", True))
        self.assertEqual((told["names"], told["mode"], told["labels"]), (["a", "b"], "fast", {}))
        self.assertEqual(told["kinds"]["factor"], "float")
        step = {"op": "py.typed", "count": 1, "labels": {"a": "b"}, "names": "x", "extra": [1, {}]}
        for _ in range(2):  # the function adds to the list, for this call only
            told = self.step(**step)["result"]
            self.assertEqual((told["labels"], told["names"]), ({"a": "b"}, "x"))
            self.assertEqual((told["extra"], told["factor"], told["flag"]), ([1, {}, "changed"], 1.5, None))

    def test_what_stands_for_nothing(self):
        nothing = {"flag": None, "names": [], "labels": {}}
        told = self.step(op="py.typed", count=1, **nothing)["result"]
        self.assertEqual({name: told[name] for name in nothing}, nothing)
        told = self.json("typed", count="1", flag="null", labels="{}")
        self.assertEqual((told["flag"], told["labels"]), (None, {}))
        response = self.server.fetch("http://a/", ("py.typed", {"count": 1, "names": [1]}))
        self.assert_problem(response, "invalid_request", field="pipeline[0].names")
        detail = "names must be a string or an array of strings"
        self.assertEqual(response.json()["detail"], detail)
        response = self.server.fetch("http://a/", ("py.typed", {"count": None}))
        self.assert_problem(response, "invalid_request", field="pipeline[0].count")

    def test_wrong_ones(self):
        cases = [
            ({}, "invalid_request", "p.count", "py.typed needs the parameter count"),
            ({"p.count": "x"}, "invalid_request", "p.count", "count must be an integer"),
            ({"p.count": 1, "p.mode": "fats"}, "invalid_request", "p.mode", "did you mean fast?"),
            ({"p.count": 1, "p.counts": 1}, "unknown_field", "p.counts", "did you mean count?"),
            ({"count": 1}, "unknown_field", "count", "begin with p. in a query, such as p.count"),
            ({"p.count": 1, "p.op": "x"}, "unknown_field", "p.op", "has no parameter"),
        ]
        for query, code, field, detail in cases:
            with self.subTest(query):
                response = self.server.process(b"", "py.typed", **query)
                self.assert_problem(response, code, field=field)
                self.assertIn(detail, response.json()["detail"])
        self.assert_problem(self.server.process(b"", "py.anything", **{"p.op": 1}), "unknown_field")
        response = self.server.process(b"", "py.typpd")
        self.assert_problem(response, "unknown_op")
        self.assertIn("did you mean py.typed?", response.json()["detail"])

    def test_any(self):
        query = {"p.url": "u", "p.n": "5", "p.many": ["a", "b"], "p.limit": "7"}
        response = self.server.process(b"", "py.anything", **query)
        self.assertEqual(response.json(), [{"url": "u", "n": "5", "many": ["a", "b"]}, 7])
        step = {"op": "py.anything", "n": 5, "deep": {"a": [None, 1.5]}, "list": ["x", 2**70]}
        for _ in range(2):
            result = self.step(**step)["result"]
            self.assertEqual(result, [{"n": 5, "deep": {"a": [None, 1.5]}, "list": ["x", 2**70]}, 3])

    def test_beside_a_task_s_own(self):
        url = self.origin.url("/text?text=a")
        response = self.server.get("/v1/fetch", url=url, op="py.anything", **{"p.url": "mine"})
        self.assertEqual(response.json()[0], {"url": "mine"})
        result = run_command(
            "fetch", url, "--op", "py.anything", "--p.n", "1", "--p.limit=2",
            "--python.modules", MODULES, "--fetch.allow_networks", "127.0.0.0/8",
        )  # fmt: skip
        self.assertEqual((result.returncode, result.stdout), (0, '[{"n":"1"},2]'), result.stderr)


class Descriptions(PythonTest):
    def test_the_catalogue(self):
        ops = {op["name"]: op for op in self.server.get("/v1/ops").json()["ops"]}
        self.assertLess(list(ops).index("hash"), list(ops).index("py.anything"))
        self.assertNotIn("py._helper", ops)
        typed = ops["py.typed"]
        self.assertEqual(typed["summary"], "Tells its parameters back, and changes one.")
        self.assertEqual((typed["input"], typed["output"]), (["*/*"], JSON))
        schema = typed["parameters"]
        self.assertEqual((schema["required"], schema["additionalProperties"]), (["count"], False))
        self.assertEqual(
            schema["properties"],
            {
                "count": {"description": "How many.", "type": "integer"},
                "factor": {"description": "", "default": 1.5, "type": "number"},
                "flag": {"description": "", "anyOf": [{"type": "boolean"}, {"type": "null"}]},
                "url": {"description": "", "default": "", "type": "string"},
                "mode": {
                    "description": "",
                    "default": "fast",
                    "type": "string",
                    "enum": ["fast", "slow"],
                },
                "names": {
                    "description": "",
                    "default": "nobody",
                    "anyOf": [
                        {"type": "string"},
                        {"type": "array", "items": {"type": "string"}},
                    ],
                },
                "labels": {
                    "description": "",
                    "default": {},
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                },
                "extra": {"description": ""},
            },
        )
        anything = ops["py.anything"]
        self.assertEqual(anything["summary"], "process() of anything.py.")
        self.assertEqual(anything["output"], "*/*")
        self.assertIs(anything["parameters"]["additionalProperties"], True)

    def test_openapi(self):
        schemas = self.server.get("/openapi.json").json()["components"]["schemas"]
        self.assertIn("py.typed", schemas["Step"]["discriminator"]["mapping"])
        self.assertIs(schemas["op.py.typed"]["additionalProperties"], False)
        self.assertIs(schemas["op.py.anything"]["additionalProperties"], True)

    def test_named_pipelines(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('[pipelines.data]\nsteps = [{op = "py.process_data"}]\n')
            file.flush()
            server = self.start({**self.settings, "config": file.name})
            response = server.request("POST", "/v1/process?pipeline=data", b"hello")
            self.assertEqual(response.json(), 5 * 499500)
            flags = ["--config", file.name]
            self.assertEqual(run_command("check-config", *flags).returncode, 2)
            flags += ["--python.modules", MODULES]
            self.assertEqual(run_command("check-config", *flags).returncode, 0)

    def test_the_command_line_lists_them(self):
        flags = ["--python.modules", MODULES]
        self.assertIn("\npy.typed count [factor]", run_command("ops", *flags).stdout)
        self.assertNotIn("py.", run_command("ops").stdout)

    def test_a_reload_leaves_them(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "one.py").write_text("def process(body):\n    return 1\n")
        config = folder / "fetchmill.toml"
        config.write_text(f'[python]\nmodules = "{folder}"\n')
        server = self.start({"config": config})
        (folder / "one.py").write_text("broken")
        config.write_text('[python]\nmodules = "/elsewhere"\n')
        os.kill(server.pid, signal.SIGHUP)
        self.assertIn("python.modules", server.wait_for_log("settings reloaded")["need_restart"])
        self.assertEqual(server.process(b"", "py.one").json(), 1)


class Faults(PythonTest):
    settings = {
        "python.modules": MODULES,
        "workers.task_timeout_ms": 4000,
        "workers.memory_limit_mb": 128 if not SANITIZED else 2048,
        "workers.poison_ms": 0,
    }

    def test_a_traceback_comes_back(self):
        self.assertEqual(
            self.failure("faults", b"<p>", how="raise"),
            "Traceback (most recent call last):\n"
            '  File "faults.py", line 21, in process\n'
            '    raise ValueError("no price in " + str(bytes(body)))\n'
            "ValueError: no price in b'<p>'",
        )
        detail = self.failure("faults", how="chain")
        self.assertIn("KeyError: 'price'\n\nThe above exception was the direct cause", detail)
        self.assertTrue(detail.endswith("\nRuntimeError: cannot go on"), detail)

    def test_what_only_python_raises(self):
        def workers():
            now = self.server.metrics()
            return [now.value("workers", state=state) for state in ("idle", "standby")]

        eventually(lambda: workers() == [2, 1], "those that ended before are replaced")
        before = self.server.metrics().value("worker_restarts_total")
        cases = [
            ("long", "xxx"),
            ("surrogate", "ValueError: ?"),
            ("unprintable", "py.faults.Unprintable: <exception str() failed>"),
            ("sys.exit", "SystemExit: enough"),
            ("interrupt", "KeyboardInterrupt"),
            ("recursion", "RecursionError: maximum recursion depth exceeded"),
            ("allocation", "MemoryError"),
        ]
        for how, expected in cases:
            if SANITIZED and how == "allocation":  # is the sanitizer's to refuse
                continue
            with self.subTest(how):
                detail = self.failure("faults", how=how)
                self.assertIn(expected, detail)
                self.assertLess(len(detail), 4096)
        self.assertEqual(self.call("faults", how="thread").body, b"survived")
        self.assertEqual(self.server.metrics().value("worker_restarts_total"), before)

    def test_what_ends_the_worker(self):
        cases = [
            ("os._exit", "worker_crashed"),
            ("segfault", "worker_crashed"),
            ("abort", "worker_crashed"),
            ("loop", "processing_timeout"),
            ("balloon", "worker_out_of_memory"),
        ]
        for how, code in cases:
            if SANITIZED and how == "balloon":  # grows more slowly than its time runs out
                continue
            with self.subTest(how):
                self.assert_problem(self.call("faults", how=how), code, stage="process")
                self.assertEqual(self.call("faults", how="nothing").body, b"survived")


class World(PythonTest):
    def test_imported_once_for_all(self):
        by, worker, parent = self.json("world", what="pids")
        self.assertEqual((by, parent), (self.server.spawner(),) * 2)
        self.assertIn(worker, self.server.workers())

    def test_nothing_outside_can_be_reached(self):
        reached = self.json("world", what="everything")
        told_apart = {"glob", "system"}
        if SANITIZED:  # may have pipes, and writes to low descriptors
            told_apart |= {"pipe", "stdout"}
        refused = {name: reached[name] for name in reached.keys() - told_apart}
        self.assertEqual(reached["glob"], [])
        self.assertIn(reached["system"], ("did: -1", "PermissionError", "did: 32512"))
        for name, answer in refused.items():
            with self.subTest(name):
                self.assertIn(
                    answer, ("PermissionError", "gaierror", "OSError", "BlockingIOError"), reached
                )
        self.assertFalse(os.path.exists("/tmp/fetchmill-was-here"))
        environment = self.json("world", what="environment")
        self.assertLessEqual(
            set(environment),
            {"TZ", "LC_CTYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"},
        )

    def test_what_is_loaded_late_elsewhere_is_there(self):
        self.assertEqual(
            self.json("world", what="lazy"),
            [2026, "?", "ö", "xn--bcher-kva.example", "b", "e3b0c442", 1],
        )

    def test_hints(self):
        self.assertIn(
            "import at the top of the module", self.failure("world", what="late_import")
        )
        self.assertIn("have no files and no network", self.failure("world", what="late_file"))

    def test_helpers(self):
        self.assertEqual(self.call("world", what="helper").body, b"HELPED")
        self.assertIn(
            'File "_helper.py", line 5, in shout\n    return text.upper()',
            self.failure("world", what="helper_fails"),
        )

    def test_a_pool_of_threads(self):
        self.assertEqual(self.json("world", b"abcdef", what="threads"), [0, 1, 2, 3, 4])

    def test_random_numbers_differ_between_workers(self):
        seen = {self.call("world", what="random").body for _ in range(5)}
        server = self.start({**self.settings, "workers.recycle_after_tasks": 1})
        seen |= {self.call("world", server=server, what="random").body for _ in range(5)}
        self.assertEqual(len(seen), 10)

    def test_prints_go_nowhere(self):
        self.assertEqual(self.json("world", what="prints"), ["", False])
        self.assertFalse([entry for entry in self.server.log if "standard" in str(entry)])
        self.assertEqual(self.server.metrics().value("worker_restarts_total"), 0)


if __name__ == "__main__":
    harness.main()
