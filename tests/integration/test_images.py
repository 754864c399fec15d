"""The image ops in a worker, where libvips finds no modules, no files and no second process."""

import harness
from harness import ServerTest
from pictures import png
from upstreams import RawUpstream, answering


class Images(ServerTest):
    def setUp(self):
        super().setUp()
        self.need_image_ops()

    def info(self, body):
        return self.assert_ok(self.server.process(body, "image.info")).json()

    def test_each_format_is_written_and_read_again(self):
        picture = png(300, 200)
        for name in ("jpeg", "png", "webp", "avif"):
            with self.subTest(format=name):
                made = self.assert_ok(
                    self.server.process(picture, "image.resize", width=150, format=name)
                )
                self.assertEqual(made.header("content-type"), f"image/{name}")
                info = self.info(made.body)
                self.assertEqual((info["format"], info["width"], info["height"]), (name, 150, 100))
                back = self.server.process(made.body, "image.resize", width=30, format="png")
                self.assertEqual(self.info(self.assert_ok(back).body)["width"], 30)

    def test_accept_chooses_the_format(self):
        picture = png(60, 40)
        self.assertEqual(self.info(picture)["format"], "png")
        tags = set()
        for accept, media_type in (
            ("image/avif,image/webp,*/*;q=0.8", "image/avif"),
            ("image/webp,*/*", "image/webp"),
            ("image/jpeg", "image/jpeg"),
            ("*/*", "image/png"),
        ):
            with self.subTest(accept=accept):
                made = self.assert_ok(
                    self.server.process(
                        picture, "image.resize", {"Accept": accept}, width=30, format="auto"
                    )
                )
                self.assertEqual(made.header("content-type"), media_type)
                self.assertEqual(made.header("vary"), "Accept")
                tags.add(made.header("etag"))
        self.assertEqual(len(tags), 4)
        refused = self.server.process(
            picture, "image.resize", {"Accept": "text/html"}, format="auto"
        )
        self.assert_problem(refused, "not_acceptable")

    def test_a_fetched_image_is_not_sent_again_in_the_format_a_client_has(self):
        picture = png(20, 20)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"
        url = self.enterContext(RawUpstream(answering(head % len(picture) + picture))).url()

        def get(accept, **more):
            return self.server.get(
                "/v1/fetch",
                {"Accept": accept, **more},
                url=url,
                op="image.resize",
                format="auto",
            )

        webp = self.assert_ok(get("image/webp"))
        same = get("image/webp", **{"If-None-Match": webp.header("etag")})
        self.assertEqual((same.status, same.header("vary")), (304, "Accept"))
        other = self.assert_ok(get("*/*", **{"If-None-Match": webp.header("etag")}))
        self.assertEqual(other.header("content-type"), "image/png")

    def test_accept_speaks_of_one_result_only(self):
        step = {"op": "image.resize", "format": "auto"}
        url = self.origin.url("/")
        batch = self.server.post("/v1/batch", {"tasks": [{"url": url, "pipeline": [step]}]})
        self.assert_problem(batch, "invalid_request", field="tasks[0].pipeline")
        envelope = self.server.fetch(url, pipeline=[step], envelope=True)
        self.assert_problem(envelope, "invalid_request", field="pipeline")
        not_last = self.server.fetch(url, pipeline=[step, {"op": "hash"}])
        self.assert_problem(not_last, "invalid_request", field="pipeline[0].format")

    def test_other_loaders_are_closed(self):
        for body in (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4\n", b"II*\0\x08\0\0\0"):
            with self.subTest(body=body):
                response = self.server.process(body, "image.info")
                self.assert_problem(response, "processing_failed")


if __name__ == "__main__":
    harness.main()
