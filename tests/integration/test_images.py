"""The image ops in a worker, where libvips finds no modules, no files and no second process."""

import os
import struct
import unittest
import zlib

import harness
from harness import ServerTest


def png(width, height):
    """A picture of noise."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + os.urandom(3 * width) for _ in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class Images(ServerTest):
    def setUp(self):
        super().setUp()
        ops = [op["name"] for op in self.server.get("/v1/ops").json()["ops"]]
        if "image.info" not in ops:
            raise unittest.SkipTest("built without the image ops")

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

    def test_other_loaders_are_closed(self):
        for body in (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4\n", b"II*\0\x08\0\0\0"):
            with self.subTest(body=body):
                response = self.server.process(body, "image.info")
                self.assert_problem(response, "processing_failed")


if __name__ == "__main__":
    harness.main()
