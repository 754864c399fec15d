"""What a service manager is told, over a real NOTIFY_SOCKET."""

import os
import signal
import tempfile

import harness
from harness import ServerTest
from processes import eventually
from service_manager import Manager


class Systemd(ServerTest):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.addresses = (os.path.join(folder, "notify"), f"@fetchmill-test-{os.getpid()}")

    def manager(self):
        return self.enterContext(Manager(self.addresses[0]))

    def test_the_life_of_a_server(self):
        for address in self.addresses:
            with self.subTest(address), Manager(address) as manager:
                self.live(manager)

    def live(self, manager):
        server = self.start(environment=manager.environment)
        ready = manager.message()
        self.assertEqual(ready["READY"], "1")
        self.assertIn("%s:%d" % server.address, ready["STATUS"])
        self.assertIn("2 workers", ready["STATUS"])

        server.child.send_signal(signal.SIGHUP)
        reloading = manager.message()
        self.assertEqual(reloading["RELOADING"], "1")
        self.assertGreater(int(reloading["MONOTONIC_USEC"]), 0)
        self.assertEqual(manager.message()["READY"], "1")

        server.stop()
        self.assertEqual(manager.message()["STOPPING"], "1")

    def test_it_is_ready_again_after_a_reload_that_failed(self):
        manager = self.manager()
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            server = self.start({"config": file.name}, environment=manager.environment)
            manager.message()
            file.write("nonsense")
            file.flush()
            server.child.send_signal(signal.SIGHUP)
            self.assertEqual(manager.message()["RELOADING"], "1")
            again = manager.message()
            self.assertEqual(again["READY"], "1")
            self.assertIn("not reloaded", again["STATUS"])

    def test_the_watchdog_is_fed_while_the_loop_turns(self):
        manager = self.manager()
        server = self.start(environment={**manager.environment, "WATCHDOG_USEC": "50000"})
        for _ in range(3):
            self.assertEqual(manager.message(but="READY"), {"WATCHDOG": "1"})
        os.kill(server.pid, signal.SIGSTOP)
        eventually(lambda: manager.is_silent(0.1), "a loop that stands still says nothing")
        os.kill(server.pid, signal.SIGCONT)
        self.assertEqual(manager.message(), {"WATCHDOG": "1"})

    def test_another_process_watchdog_is_not_ours(self):
        manager = self.manager()
        environment = {**manager.environment, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
        server = self.start(environment=environment)
        self.assertIn("READY", manager.message())
        server.stop()
        self.assertIn("STOPPING", manager.message())

    def test_a_manager_that_is_not_there(self):
        for address in ("/nowhere/notify", "@nobody", "relative", "@"):
            with self.subTest(address):
                server = self.start(environment={"NOTIFY_SOCKET": address})
                self.assert_ok(server.get("/livez"))


if __name__ == "__main__":
    harness.main()
