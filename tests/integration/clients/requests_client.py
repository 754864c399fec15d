"""Python's requests: a session, an upload out of a generator, a response read line by line."""

import gzip
import json
import os
import unittest

import requests

API, ORIGIN = os.environ["API"], os.environ["ORIGIN"]
FIRST_NAME = [{"op": "json.select", "pointer": "/0/name"}]


class Requests(unittest.TestCase):
    def setUp(self):
        self.session = self.enterContext(requests.Session())

    def test_a_query_is_encoded(self):
        pointers = ["/0/id", "/2/id"]
        query = {"url": ORIGIN + "/json?records=3", "op": "json.select", "pointer": pointers}
        response = self.session.get(API + "/v1/fetch", params=query)
        self.assertEqual((response.status_code, response.json()), (200, [0, 2]))

    def test_what_was_got_is_not_sent_again(self):
        query = {"url": ORIGIN + "/json?records=3", "op": "hash"}
        first = self.session.get(API + "/v1/fetch", params=query)
        condition = {"If-None-Match": first.headers["ETag"]}
        again = self.session.get(API + "/v1/fetch", params=query, headers=condition)
        self.assertEqual((again.status_code, again.content), (304, b""))
        head = self.session.head(API + "/v1/fetch", params=query)
        self.assertEqual((head.status_code, head.content), (200, b""))
        self.assertEqual(head.headers["ETag"], first.headers["ETag"])

    def test_requests_share_a_connection(self):
        for _ in range(5):
            task = {"url": ORIGIN + "/json?records=1", "pipeline": FIRST_NAME}
            self.assertEqual(self.session.post(API + "/v1/fetch", json=task).json(), "record 0")
            self.assertEqual(self.session.head(API + "/healthz").status_code, 200)
            self.assertEqual(self.session.get(API + "/nowhere").status_code, 404)
        pool = self.session.adapters["http://"].poolmanager.connection_from_url(API)
        self.assertEqual((pool.num_connections, pool.num_requests), (1, 15))

    def test_lines_out_of_a_generator(self):
        """The body is chunked and sent to its end before anything is read."""

        def lines():
            for number in range(5000):
                task = {"id": str(number), "url": ORIGIN + "/text?text=a"}
                yield json.dumps(task).encode() + b"\n"

        kind = {"Content-Type": "application/x-ndjson"}
        query = {"op": "hash", "algorithm": "crc32"}
        with self.session.post(
            API + "/v1/batch", params=query, data=lines(), headers=kind, stream=True
        ) as response:
            *outcomes, summary = map(json.loads, response.iter_lines())
        self.assertEqual((summary["type"], summary["ok"]), ("summary", 5000))
        self.assertEqual({outcome["id"] for outcome in outcomes}, set(map(str, range(5000))))
        self.assertEqual({outcome["text"] for outcome in outcomes}, {"e8b7be43"})

    def test_an_empty_generator(self):
        response = self.session.post(
            API + "/v1/batch", data=iter(()), headers={"Content-Type": "text/plain"}
        )
        self.assertEqual((response.status_code, response.json()["tasks"]), (200, 0))

    def test_a_packed_body(self):
        """Undone where the body is the input; a task comes as it is."""
        packed = gzip.compress(b'{"name":"mill"}')
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        query = {"op": "json.select", "pointer": "/name"}
        response = self.session.post(
            API + "/v1/process", params=query, data=packed, headers=headers
        )
        self.assertEqual((response.status_code, response.json()), (200, "mill"))
        task = gzip.compress(json.dumps({"url": ORIGIN + "/json"}).encode())
        for path in ("/v1/fetch", "/v1/batch", "/v1/merge"):
            refused = self.session.post(API + path, data=task, headers=headers)
            self.assertEqual((refused.status_code, refused.json()["code"]),
                             (415, "unsupported_media_type"), path)

    def test_a_file_as_a_form_is_refused(self):
        response = self.session.post(API + "/v1/fetch", files={"file": b"x"})
        self.assertEqual(response.status_code, 415)
        response = self.session.post(API + "/v1/fetch", data={"url": ORIGIN + "/json"})
        self.assertEqual(response.status_code, 415)

    def test_an_error(self):
        response = self.session.get(API + "/v1/fetch", params={"url": "http://10.0.0.1/"})
        with self.assertRaises(requests.HTTPError):
            response.raise_for_status()
        self.assertEqual(response.json()["code"], "address_denied")


if __name__ == "__main__":
    unittest.main()
