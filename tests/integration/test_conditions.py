"""Who has a result already is not given it again; what may be kept says for how long."""

import gzip

import harness
from harness import Batch, ServerTest
from json_schema import Schemas
from upstreams import CLOSE, READ, RawUpstream

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Mon, 07 Nov 1994 08:49:37 GMT"
EARLIER = "Sat, 05 Nov 1994 08:49:37 GMT"


def answer(body=b'{"n":1}', status="200 OK", **fields):
    """A field whose value is a list has a line for each."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            lines.append(f"{name.replace('_', '-')}: {value}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def not_modified(**fields):
    lines = ["HTTP/1.1 304 Not Modified"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode()


class ConditionTest(ServerTest):
    def upstream(self, *answers):
        """One connection an answer; the last one is repeated."""
        return self.enterContext(RawUpstream(*[[READ, data, CLOSE] for data in answers]))

    def get(self, upstream, headers=None, method="GET", **query):
        return self.server.get(
            "/v1/fetch", headers=headers, method=method, url=upstream.url(), **query
        )


class ConditionalGet(ConditionTest):
    def test_the_tag_of_a_result_is_a_hash_of_it(self):
        upstream = self.upstream(answer(), answer(b'{"n": 1, "m": 2}'), answer(b'{"n":2}'))
        first, same, other = [
            self.assert_ok(self.get(upstream, op="json.select", pointer="/n")).header("etag")
            for _ in range(3)
        ]
        self.assertRegex(first, '^"[0-9a-f]{32}"$')
        self.assertEqual(first, same)
        self.assertNotEqual(first, other)

    def test_it_spares_the_client_the_result(self):
        upstream = self.upstream(answer(Cache_Control="max-age=60"))
        whole = self.assert_ok(self.get(upstream, op="hash"))
        etag = whole.header("etag")
        for value in (etag, "*", "W/" + etag, f'"a", {etag} ,"b"', f'"a,b", {etag}'):
            for method in ("GET", "HEAD"):
                with self.subTest(value=value, method=method):
                    response = self.get(upstream, {"If-None-Match": value}, method, op="hash")
                    self.assertEqual((response.status, response.body), (304, b""))
                    self.assertEqual(response.header("etag"), etag)
                    self.assertEqual(response.header("cache-control"), "max-age=60")
                    self.assertIsNone(response.header("content-length"))
                    self.assertIsNone(response.header("content-type"))
        for value in ('"a"', '"a", "b"', etag.strip('"'), "nonsense"):
            with self.subTest(value=value):
                response = self.get(upstream, {"If-None-Match": value}, op="hash")
                self.assertEqual((response.status, response.body), (200, whole.body))

    def test_two_lines_are_one_list(self):
        upstream = self.upstream(answer(ETag='"v1"'))
        with self.server.raw() as client:
            lines = ["GET /v1/fetch?url=" + upstream.url() + " HTTP/1.1", "Host: localhost"]
            lines += ['If-None-Match: "v0"', 'If-None-Match: "v1"', "", ""]
            client.send("\r\n".join(lines).encode())
            self.assertEqual(client.read_response().status, 304)

    def test_without_a_pipeline_the_upstreams_validators_are_passed_on(self):
        upstream = self.upstream(answer(ETag='W/"v1"', Last_Modified=DATE))
        response = self.assert_ok(self.get(upstream))
        self.assertEqual(response.header("etag"), 'W/"v1"')
        self.assertEqual(response.header("last-modified"), DATE)
        self.assertEqual(self.get(upstream, {"If-None-Match": '"v1"'}).status, 304)
        self.assertEqual(self.get(upstream, {"If-None-Match": '"v2"'}).status, 200)

    def test_dates(self):
        upstream = self.upstream(answer(Last_Modified=DATE))
        for since, status in ((DATE, 304), (LATER, 304), (EARLIER, 200), ("yesterday", 200)):
            with self.subTest(since):
                response = self.get(upstream, {"If-Modified-Since": since})
                self.assertEqual(response.status, status)
        # If-None-Match counts alone; and a result has no date.
        both = {"If-Modified-Since": LATER, "If-None-Match": '"a"'}
        self.assertEqual(self.get(upstream, both).status, 200)
        self.assertEqual(self.get(upstream, {"If-Modified-Since": LATER}, op="hash").status, 200)

    def test_what_is_no_tag_is_not_passed_on(self):
        response = self.assert_ok(self.get(self.upstream(answer(ETag="no quotes"))))
        self.assertIsNone(response.header("etag"))

    def test_the_body_of_another_coding_has_a_weak_tag(self):
        coded = answer(gzip.compress(b"text"), ETag='"v1"', Content_Encoding="gzip")
        response = self.assert_ok(self.get(self.upstream(coded)))
        self.assertEqual((response.body, response.header("etag")), (b"text", 'W/"v1"'))

    def test_an_error_stays_one(self):
        upstream = self.upstream(answer(status="404 Not Found"))
        response = self.get(upstream, {"If-None-Match": "*"})
        self.assert_problem(response, "upstream_status")


class Upstreams(ConditionTest):
    """The conditions of a task."""

    def test_a_304_is_unchanged(self):
        upstream = self.upstream(not_modified(ETag='"v1"'))
        tasks = [
            {"url": upstream.url(), "if_none_match": '"v0", W/"v1"', "id": "a", "meta": [1]},
            {"url": upstream.url(), "if_modified_since": DATE, "pipeline": [{"op": "hash"}]},
        ]
        batch = self.server.batch(tasks, order="input")
        first, second = batch.outcomes
        self.assertEqual((first["type"], first["id"], first["meta"]), ("unchanged", "a", [1]))
        self.assertEqual((first["upstream"]["status"], first["etag"]), (304, '"v1"'))
        self.assertEqual((second["type"], second["upstream"]["status"]), ("unchanged", 304))
        for outcome in (first, second):
            self.assertFalse({"result", "text", "base64", "error"} & set(outcome))
        counts = [batch.summary[name] for name in ("ok", "unchanged", "failed")]
        self.assertEqual(counts, [0, 2, 0])
        self.assertIn(b'\r\nIf-None-Match: "v0", W/"v1"\r\n', b"".join(upstream.heads))
        self.assertIn(f"\r\nIf-Modified-Since: {DATE}\r\n".encode(), b"".join(upstream.heads))

    def test_what_did_change_is_a_result(self):
        upstream = self.upstream(answer(ETag='"v2"'))
        (outcome,) = self.server.batch([{"url": upstream.url(), "if_none_match": '"v1"'}]).outcomes
        self.assertEqual((outcome["result"], outcome["etag"]), ({"n": 1}, '"v2"'))

    def test_nobody_asked_for_a_304(self):
        upstream = self.upstream(not_modified())
        self.assert_problem(self.server.fetch(upstream.url()), "upstream_status")

    def test_as_a_response(self):
        upstream = self.upstream(not_modified(ETag='"v1"', Cache_Control="max-age=5"))
        task = {"url": upstream.url(), "if_none_match": '"v1"'}
        response = self.server.fetch(**task)
        self.assertEqual((response.status, response.body), (304, b""))
        self.assertEqual(response.header("fetchmill-upstream-status"), "304")
        self.assertEqual(response.header("etag"), '"v1"')
        envelope = self.assert_ok(self.server.fetch(**task, envelope=True)).json()
        self.assertEqual((envelope["type"], envelope["etag"]), ("unchanged", '"v1"'))

    def test_the_cache_takes_no_part(self):
        # What is stored must not stand in for the upstream's word, nor the 304 for what is stored.
        stored = answer(ETag='"v1"', Cache_Control="max-age=600")
        upstream = self.upstream(stored, not_modified(ETag='"v1"'))
        self.assert_ok(self.server.fetch(upstream.url()))
        (outcome,) = self.server.batch([{"url": upstream.url(), "if_none_match": '"v1"'}]).outcomes
        self.assertEqual((outcome["type"], outcome["cache"]), ("unchanged", "bypass"))
        self.assertEqual(upstream.connections, 2)
        hit = self.assert_ok(self.server.fetch(upstream.url()))
        self.assertEqual((hit.body, upstream.connections), (b'{"n":1}', 2))

    def test_a_redirect_leads_to_it(self):
        target = self.upstream(not_modified(ETag='"v1"'))
        upstream = self.upstream(answer(b"", "302 Found", Location=target.url()))
        (outcome,) = self.server.batch([{"url": upstream.url(), "if_none_match": '"v1"'}]).outcomes
        self.assertEqual(outcome["type"], "unchanged")
        self.assertEqual(outcome["upstream"]["final_url"], target.url())

    def test_unless_the_result_has_a_tag(self):
        upstream = self.upstream(answer(b'{"n":1,"noise":1}'), answer(b'{"n":1,"noise":2}'))
        task = {"url": upstream.url(), "pipeline": [{"op": "json.select", "pointer": "/n"}]}
        (first,) = self.server.batch([task]).outcomes
        task["unless_etag"] = first["etag"]
        batch = self.server.batch([task])
        self.assertEqual(batch.outcomes[0]["type"], "unchanged")
        self.assertEqual(batch.outcomes[0]["etag"], first["etag"])
        self.assertEqual(batch.outcomes[0]["upstream"]["status"], 200)
        self.assertNotIn("result", batch.outcomes[0])
        self.assertEqual(batch.summary["unchanged"], 1)
        self.assertEqual(self.server.post("/v1/fetch", task).status, 304)
        task["unless_etag"] = '"other"'
        self.assertEqual(self.server.post("/v1/fetch", task).body, b"1")

    def test_a_result_without_a_tag_is_given_one_to_compare(self):
        upstream = self.upstream(answer())
        etag = self.server.fetch(upstream.url(), envelope=True).json()["etag"]
        for tags, status in (("*", 304), (etag, 304), ('"other"', 200)):
            with self.subTest(tags):
                response = self.server.fetch(upstream.url(), unless_etag=tags)
                self.assertEqual((response.status, response.header("etag")), (status, etag))
        self.assertEqual(response.body, b'{"n":1}')

    def test_both_ways_of_asking_have_the_same_tag(self):
        for fields in ({}, {"ETag": '"v1"'}):
            for steps in ([], [{"op": "hash"}]):
                upstream = self.upstream(answer(**fields))
                task = {"url": upstream.url(), "pipeline": steps}
                (outcome,) = self.server.batch([task]).outcomes
                tag = self.assert_ok(self.server.post("/v1/fetch", task)).header("etag")
                with self.subTest(fields=fields, steps=steps):
                    # Whoever asks for bytes as they came gets no hash of them: nobody looked.
                    if fields or steps:
                        self.assertEqual(outcome["etag"], tag)
                    else:
                        self.assertEqual((tag, len(outcome["etag"])), (None, 34))

    def test_fields_of_the_upstreams_head(self):
        upstream = self.upstream(answer(X_Rate="9", Link="<a>, <b>", X_Quote='"}]', Server="s"))
        names = ["x-rate", "LINK", "X-Quote", "Missing"]
        (outcome,) = self.server.batch([{"url": upstream.url(), "include_headers": names}]).outcomes
        expected = {"x-rate": "9", "LINK": "<a>, <b>", "X-Quote": '"}]'}
        self.assertEqual(outcome["upstream"]["headers"], expected)
        plain = self.server.batch([{"url": upstream.url()}]).outcomes[0]
        self.assertNotIn("headers", plain["upstream"])

    def test_lines_of_cookies_stay_apart(self):
        cookies = [f"a=1; Expires={DATE}", "b=2"]
        names = ["set-cookie", "x-rate"]
        schemas = Schemas(self.server.get("/openapi.json").json(), None, {})
        declared = {"$ref": "#/components/schemas/Upstream"}
        for lines in (cookies, cookies[:1]):
            with self.subTest(lines):
                upstream = self.upstream(answer(Set_Cookie=lines, X_Rate=["8", "9"]))
                task = {"url": upstream.url(), "include_headers": names}
                (outcome,) = self.server.batch([task]).outcomes
                expected = {"set-cookie": lines, "x-rate": "8, 9"}
                self.assertEqual(outcome["upstream"]["headers"], expected)
                self.assertTrue(schemas.valid(outcome["upstream"], declared))

    def test_also_where_the_status_is_refused(self):
        upstream = self.upstream(answer(status="404 Not Found", X_Why="gone"))
        task = {"url": upstream.url(), "include_headers": ["x-why"]}
        (outcome,) = self.server.batch([task]).outcomes
        self.assertEqual(outcome["error"]["code"], "upstream_status")
        self.assertEqual(outcome["upstream"]["headers"], {"x-why": "gone"})
        kept = answer(status="404 Not Found", X_Why="gone", Cache_Control="max-age=600")
        task["url"] = self.upstream(kept).url()
        task["accept_status"] = [404]
        self.server.batch([task])
        del task["accept_status"]
        (outcome,) = self.server.batch([task]).outcomes
        self.assertEqual(outcome["upstream"]["headers"], {"x-why": "gone"})

    def test_names_of_fields_by_query(self):
        upstream = self.upstream(answer(ETag='"v1"', Server="s"))
        response = self.server.request(
            "POST",
            "/v1/batch?include_headers=etag&include_headers=server",
            upstream.url().encode(),
            {"Content-Type": "text/plain"},
        )
        (outcome,) = Batch(response).outcomes
        self.assertEqual(outcome["upstream"]["headers"], {"etag": '"v1"', "server": "s"})


class Keeping(ConditionTest):
    def test_cache_control_is_the_upstreams(self):
        upstream = self.upstream(answer(Cache_Control="max-age=600"))
        first = self.assert_ok(self.get(upstream))
        self.assertEqual(first.header("cache-control"), "max-age=600")
        hit = self.assert_ok(self.get(upstream))
        self.assertEqual(hit.header("cache-control"), "max-age=600")
        self.assertIsNotNone(hit.header("age"))

    def test_nothing_said_means_to_ask(self):
        response = self.assert_ok(self.get(self.upstream(answer())))
        self.assertEqual(response.header("cache-control"), "no-cache")

    def test_credentials_make_it_private(self):
        upstream = self.upstream(answer(Cache_Control="max-age=600"))
        for name in ("Authorization", "Cookie", "X-Api-Key"):
            with self.subTest(name):
                response = self.server.fetch(upstream.url(), headers={name: "secret"})
                self.assertEqual(self.assert_ok(response).header("cache-control"),
                                 "private, max-age=600")

    def test_errors_and_envelopes_are_not_kept(self):
        upstream = self.upstream(answer(status="404 Not Found", Cache_Control="max-age=600"))
        for envelope in (False, True):
            response = self.server.fetch(upstream.url(), envelope=envelope)
            self.assertEqual(response.header("cache-control"), "no-store")
            self.assertEqual(response.header("proxy-status"), "fetchmill; received-status=404")


class Failures(ConditionTest):
    def test_proxy_status(self):
        cases = {
            f"http://127.0.0.1:{harness.free_port()}/": "connection_refused",
            "http://nowhere.invalid/": "dns_error",
            "http://10.0.0.1/": "destination_ip_prohibited",
            "ftp://example.com/": "http_request_denied",
            self.origin.url("/short"): "http_response_incomplete",
            self.origin.url("/hang"): "http_response_timeout",
            self.origin.url("/redirects?n=9"): "http_protocol_error",
        }
        for url, error in cases.items():
            with self.subTest(url):
                response = self.server.fetch(url, timeout_ms=500)
                self.assertGreaterEqual(response.status, 400)
                self.assertEqual(response.header("proxy-status"), f"fetchmill; error={error}")
        refused = self.server.fetch(self.origin.url("/json"), max_bytes=1)
        self.assertEqual(refused.header("proxy-status"), "fetchmill; error=http_response_body_size")

    def test_what_is_no_failure_of_a_fetch_has_none(self):
        select = ("json.select", {"pointer": "/missing"})
        response = self.server.fetch(self.origin.url("/json"), select)
        self.assert_problem(response, "processing_failed")
        self.assertIsNone(response.header("proxy-status"))


if __name__ == "__main__":
    harness.main()
