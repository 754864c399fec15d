"""Host names: what name servers say, for how long it is believed, which address is dialled."""

import contextlib
import socket
import threading
import time

import harness
from harness import ServerTest, free_port
from name_server import (
    A,
    AAAA,
    NEVER,
    NXDOMAIN,
    REFUSED,
    SERVFAIL,
    Answer,
    NameServer,
    address,
    alias,
)
from processes import bound, eventually
from upstreams import Origin

SMALL = "/bytes?n=5"
ONCE_AND_PATIENT = {
    "fetch.retries": 0,
    "fetch.connect_timeout_ms": 60_000,
    "fetch.timeout_ms": 60_000,
}


def at_loopback(name, ttl=60, **how):
    return Answer(address(name, ttl, "127.0.0.1"), **how)


def dialled(port, *hosts):
    """How many sockets of this machine wait for these addresses to take their connection."""
    ends = {f"{socket.inet_aton(host)[::-1].hex().upper()}:{port:04X}" for host in hosts}
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file]
    return sum(row[2] in ends and row[3] == "02" for row in rows)


class NamesTest(ServerTest):
    """Every test starts the server it needs, with a name server of its own."""

    @classmethod
    def setUpClass(cls):
        cls.origin = cls.enterClassContext(Origin())

    def start_with(self, names, **settings):
        self.names = self.enterContext(NameServer(names))
        return self.start({"fetch.dns_servers": self.names.address, **ONCE_AND_PATIENT, **settings})

    def get(self, server, name, **task):
        return server.fetch(self.origin.url(SMALL, host=name), **task)

    def assert_fetched(self, server, name, **task):
        self.assertEqual(self.assert_ok(self.get(server, name, **task)).body, b"01234")


class Answers(NamesTest):
    def test_both_kinds_of_addresses_are_asked_for_once(self):
        server = self.start_with({"a.test": at_loopback("a.test")})
        for _ in range(3):
            self.assert_fetched(server, "a.test")
        self.assertEqual((self.names.asked("a.test", A), self.names.asked("a.test", AAAA)), (1, 1))

    def test_ipv4_does_not_wait_for_ipv6_that_never_comes(self):
        half = at_loopback("half.test", ipv6="never")
        # The question is given up after 14 s.
        server = self.start_with({"half.test": half}, **{"fetch.connect_timeout_ms": 12_000})
        self.assert_fetched(server, "half.test")
        self.assertEqual(self.names.asked("half.test", AAAA), 1)

    def test_an_alias_is_followed(self):
        chain = alias("www.test", 60, "cdn.test") + alias("cdn.test", 60, "edge.test")
        names = {"www.test": Answer(chain, address("edge.test", 60, "127.0.0.1"))}
        self.assert_fetched(self.start_with(names), "www.test")

    def test_a_truncated_answer_is_asked_for_again_over_tcp(self):
        server = self.start_with({"long.test": at_loopback("long.test", truncated=True)})
        self.assert_fetched(server, "long.test")
        self.assertEqual(self.names.asked("long.test", A, "udp"), 1)
        self.assertEqual(self.names.asked("long.test", A, "tcp"), 1)

    def test_fetches_that_come_together_ask_once(self):
        go = threading.Event()
        server = self.start_with({"busy.test": at_loopback("busy.test", when=go)})
        results = []
        fetch = lambda: results.append(self.get(server, "busy.test").status)  # noqa: E731
        clients = [threading.Thread(target=fetch) for _ in range(8)]
        for client in clients:
            client.start()
        eventually(lambda: self.names.asked("busy.test") == 2, "both questions are there")
        eventually(lambda: server.metrics().value("http_requests_in_flight") >= 8, "all wait")
        go.set()
        for client in clients:
            client.join()
        self.assertEqual(results, [200] * 8)
        self.assertEqual(self.names.asked("busy.test"), 2)

    def test_who_goes_away_does_not_take_the_lookup_along(self):
        go = threading.Event()
        server = self.start_with({"slow.test": at_loopback("slow.test", when=go)})
        with server.raw() as gone:
            gone.send_request("GET", "/v1/fetch?url=" + self.origin.url(SMALL, host="slow.test"))
            eventually(lambda: self.names.asked("slow.test") == 2, "the lookup is under way")
            results = []
            stays = threading.Thread(
                target=lambda: results.append(self.get(server, "slow.test").status)
            )
            stays.start()
            eventually(lambda: server.metrics().value("http_requests_in_flight") >= 2, "both wait")
        eventually(
            lambda: server.metrics().value("fetch_requests_total", outcome="cancelled") == 1,
            "one is gone",
        )
        go.set()
        stays.join()
        self.assertEqual(results, [200])
        self.assertEqual(self.names.asked("slow.test"), 2)


class Lifetimes(NamesTest):
    def test_an_answer_lives_as_long_as_its_shortest_record(self):
        short = Answer(alias("b.test", 1, "c.test"), address("c.test", 600, "127.0.0.1"))
        names = {"a.test": at_loopback("a.test", 600), "b.test": short}
        # A connection that is kept would need no name.
        server = self.start_with(names, **{"fetch.idle_timeout_ms": 0})
        self.assert_fetched(server, "a.test")

        def asked_again():
            self.assert_fetched(server, "b.test")
            return self.names.asked("b.test", A) >= 2

        eventually(asked_again, "the short-lived answer is asked for again")
        self.assert_fetched(server, "a.test")
        self.assertEqual(self.names.asked("a.test", A), 1)

    def test_that_a_name_does_not_exist_is_remembered(self):
        names = {
            "long.test": Answer(code=NXDOMAIN, negative_ttl=600),
            "short.test": Answer(code=NXDOMAIN, negative_ttl=1),
            "empty.test": Answer(negative_ttl=600),
        }
        server = self.start_with(names)
        for name in names:
            self.get(server, name)

        def asked_again():
            self.get(server, "short.test")
            return self.names.asked("short.test", A) >= 2

        eventually(asked_again, "the short-lived one is asked for again")
        for name in ("long.test", "empty.test"):
            self.get(server, name)
            self.assertEqual(self.names.asked(name, A), 1, name)

    def test_a_failure_passes(self):
        names = {"a.test": [Answer(code=SERVFAIL)] * 3 + [at_loopback("a.test")]}
        server = self.start_with(names)
        self.assert_problem(self.get(server, "a.test"), "dns_failed")
        eventually(lambda: self.get(server, "a.test").status == 200, "it is asked for again")

    def test_a_failure_that_passes_is_sat_out_by_a_retry(self):
        names = {"a.test": [Answer(code=SERVFAIL)] * 3 + [at_loopback("a.test")]}
        server = self.start_with(names, **{"fetch.retries": 1})
        self.assert_fetched(server, "a.test")


class Failures(NamesTest):
    def test_the_problem_says_in_words_what_happened(self):
        servers_failed = "the name servers failed, refused or cannot be reached"
        cases = {
            "missing.test": (Answer(code=NXDOMAIN), "no such name (NXDOMAIN)"),
            "empty.test": (Answer(), "the name has no address"),
            "dangling.test": (
                Answer(alias("dangling.test", 60, "gone.test"), code=NXDOMAIN),
                "no such name (NXDOMAIN)",
            ),
            "servfail.test": (Answer(code=SERVFAIL), servers_failed),
            "refused.test": (Answer(code=REFUSED), servers_failed),
        }
        server = self.start_with({name: answer for name, (answer, _) in cases.items()})
        for name, (_, why) in cases.items():
            with self.subTest(name=name):
                self.assert_problem(
                    self.get(server, name), "dns_failed", detail=f"{name}: {why}", stage="fetch"
                )

    def test_onion_names_are_not_asked_for(self):
        server = self.start_with({})
        self.assert_problem(self.get(server, "a.onion"), "dns_failed")
        self.assertEqual(self.names.asked("a.onion"), 0)

    def test_a_name_server_that_never_answers_ends_with_the_connect_timeout(self):
        server = self.start_with(
            {"mute.test": NEVER},
            **{
                "fetch.connect_timeout_ms": 300,
                "fetch.retries": 1,
                "fetch.breaker_failures": 1,
                "fetch.breaker_failing_ms": 0,
            },
        )
        begun = time.monotonic()
        # The second time too: it is no reason to leave the origin alone.
        for _ in range(2):
            self.assert_problem(
                self.get(server, "mute.test"),
                "dns_failed",
                detail="the time ran out while resolving the host name",
            )
        self.assertLess(time.monotonic() - begun, bound(6))
        metrics = server.metrics()
        self.assertEqual(metrics.value("fetch_retries_total", reason="dns_failed"), 2)
        self.assertEqual(metrics.value("fetch_circuit_changes_total"), 0)

    def test_nobody_at_the_name_servers_address(self):
        server = self.start({"fetch.dns_servers": f"127.0.0.1:{free_port()}", **ONCE_AND_PATIENT})
        self.assert_problem(
            self.get(server, "a.test"),
            "dns_failed",
            detail="a.test: the name servers failed, refused or cannot be reached",
        )

    def test_the_next_name_server_is_asked_when_one_fails(self):
        with NameServer({"a.test": Answer(code=REFUSED)}) as broken:
            good = self.enterContext(NameServer({"a.test": at_loopback("a.test")}))
            server = self.start({"fetch.dns_servers": [broken.address, good.address]})
            self.assert_fetched(server, "a.test")
            self.assertGreaterEqual(broken.asked("a.test"), 1)


class Policy(NamesTest):
    """The rules for addresses hold for what was just looked up, every time."""

    def test_one_forbidden_address_refuses_the_name(self):
        forbidden = {"a.test": "10.0.0.1", "b.test": "fd00::1", "c.test": "169.254.169.254"}
        names = {
            name: Answer(address(name, 60, "127.0.0.1", more), ipv6="first")
            for name, more in forbidden.items()
        }
        server = self.start_with(names)
        self.origin.reset_counters()
        for name in names:
            with self.subTest(name=name):
                self.assert_problem(self.get(server, name), "address_denied")
        self.assertEqual(self.origin.counters()["requests"]["total"], 0)

    def test_rebinding_gains_nothing(self):
        rebound = [at_loopback("evil.test", 1), Answer(address("evil.test", 1, "127.0.0.2"))]
        server = self.start_with(
            {"evil.test": rebound},
            **{"fetch.allow_networks": "127.0.0.1/32", "fetch.idle_timeout_ms": 0},
        )
        self.assert_fetched(server, "evil.test")
        last = []

        def refused():
            last.append(self.get(server, "evil.test"))
            return last[-1].status != 200

        eventually(refused, "the second answer is used")
        self.assert_problem(last[-1], "address_denied")
        self.assertGreaterEqual(server.metrics().value("fetch_denied_total"), 1)

    def test_a_retry_is_held_against_what_the_name_means_by_then(self):
        rebound = [at_loopback("evil.test", 1), Answer(address("evil.test", 60, "10.0.0.1"))]
        server = self.start_with(
            {"evil.test": rebound}, **{"fetch.retries": 10, "fetch.breaker_failures": 0}
        )
        response = server.fetch(f"http://evil.test:{free_port()}/")
        self.assert_problem(response, "address_denied")
        self.assertEqual(self.names.asked("evil.test", A), 2)
        self.assertGreaterEqual(server.metrics().value("fetch_retries_total"), 1)

    def test_rebinding_to_loopback_is_refused_by_default(self):
        rebound = [Answer(address("evil.test", 1, "192.0.2.1")), at_loopback("evil.test")]
        server = self.start_with({"evil.test": rebound}, **{"fetch.allow_networks": "192.0.2.0/24"})
        eventually(
            lambda: self.get(server, "evil.test", timeout_ms=20).json()["code"] == "address_denied",
            "the second answer is refused",
        )
        self.assertEqual(server.metrics().value("fetch_denied_total", reason="loopback"), 1)


class Racing(NamesTest):
    def silent_listener(self, host):
        """Takes no connection: its backlog is full."""
        listener = self.enterContext(contextlib.closing(socket.socket()))
        listener.bind((host, self.origin.port))
        listener.listen(0)
        self.enterContext(socket.create_connection((host, self.origin.port)))

    def test_a_silent_address_costs_a_quarter_of_a_second(self):
        self.silent_listener("127.0.0.2")
        names = {"two.test": Answer(address("two.test", 60, "127.0.0.2", "127.0.0.1"))}
        server = self.start_with(names)
        begun = time.monotonic()
        self.assert_fetched(server, "two.test")
        taken = time.monotonic() - begun
        self.assertGreaterEqual(taken, 0.25)
        self.assertLess(taken, bound(3))

    def test_an_address_of_each_kind(self):
        names = {"both.test": Answer(address("both.test", 60, "::1", "127.0.0.1"))}
        self.assert_fetched(self.start_with(names), "both.test")

    def test_attempts_end_with_their_client(self):
        hosts = ("127.0.0.2", "127.0.0.3")
        for host in hosts:
            self.silent_listener(host)
        server = self.start_with({"dead.test": Answer(address("dead.test", 60, *hosts))})
        with server.raw() as client:
            client.send_request("GET", "/v1/fetch?url=" + self.origin.url(SMALL, host="dead.test"))
            eventually(lambda: dialled(self.origin.port, *hosts) == 2, "both are being dialled")
        eventually(lambda: dialled(self.origin.port, *hosts) == 0, "all are closed")


if __name__ == "__main__":
    harness.main()
