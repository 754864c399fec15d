"""The XML ops in a worker: what documents can ask libxml2 for, and what it loads by itself."""

import socket
import tempfile
import urllib.parse

import harness
from harness import ServerTest

XML = {"Content-Type": "application/xml"}
SECRET = "the secret of this test"
OPS = {"xml.select": {"xpath": "/a"}, "feed.items": {}, "sitemap.urls": {}}


class Xml(ServerTest):
    def select(self, body, xpath="/a"):
        return self.server.process(body, "xml.select", XML, xpath=xpath)

    def test_converters_are_there(self):
        for charset in ("windows-1252", "ISO-8859-15", "GB18030", "UTF-16"):
            with self.subTest(charset=charset):
                document = f"<?xml version='1.0' encoding='{charset}'?><a>€</a>".encode(charset)
                self.assertEqual(self.assert_ok(self.select(document)).json(), ["€"])

    def test_nothing_is_read_from_files_or_the_network(self):
        with tempfile.NamedTemporaryFile("w") as file, socket.create_server(("127.0.0.1", 0)) as peer:
            file.write(SECRET)
            file.flush()
            peer.setblocking(False)
            for url in (f"file://{file.name}", f"http://127.0.0.1:{peer.getsockname()[1]}/"):
                for document in (
                    f"<!DOCTYPE a SYSTEM '{url}'><a>&x;</a>",
                    f"<!DOCTYPE a [<!ENTITY x SYSTEM '{url}'>]><a>&x;</a>",
                    f"<!DOCTYPE a [<!ENTITY % x SYSTEM '{url}'> %x;]><a/>",
                    f"<?xml-stylesheet href='{url}'?><a/>",
                    f"<?oasis-xml-catalog catalog='{url}'?><!DOCTYPE a PUBLIC 'x' 'y'><a/>",
                    "<a xmlns:i='http://www.w3.org/2001/XInclude'>"
                    f"<i:include parse='text' href='{url}'/></a>",
                    "<a xmlns:s='http://www.w3.org/2001/XMLSchema-instance' "
                    f"s:noNamespaceSchemaLocation='{url}'/>",
                ):
                    for op, parameters in OPS.items():
                        with self.subTest(op, document=document):
                            response = self.server.process(document.encode(), op, XML, **parameters)
                            self.assertNotIn(SECRET.encode(), response.body)
                            self.assertIn(response.status, (200, 422))
                response = self.select(b"<a/>", f"document('{url}')")
                self.assert_problem(response, "invalid_request")
            with self.assertRaises(BlockingIOError):
                peer.accept()

    def test_feeds_resolve_against_the_url_they_came_from(self):
        feed = "<rss><channel><link>x</link></channel></rss>"
        url = self.origin.url("/text?text=" + urllib.parse.quote(feed))
        response = self.server.fetch(url, "feed.items")
        link = self.assert_ok(response).json()["feed"]["link"]
        self.assertEqual(link, self.origin.url("/x"))


if __name__ == "__main__":
    harness.main()
