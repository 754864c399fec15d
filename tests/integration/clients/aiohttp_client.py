"""Python's aiohttp: a batch whose next line is made from the outcome of the one before."""

import asyncio
import json
import os
import unittest

import aiohttp

API, ORIGIN = os.environ["API"], os.environ["ORIGIN"]


class Aiohttp(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.made, self.reused = 0, 0
        trace = aiohttp.TraceConfig()

        async def made(*_):
            self.made += 1

        async def reused(*_):
            self.reused += 1

        trace.on_connection_create_end.append(made)
        trace.on_connection_reuseconn.append(reused)
        self.session = await self.enterAsyncContext(aiohttp.ClientSession(trace_configs=[trace]))

    async def test_both_directions_at_once(self):
        numbers = asyncio.Queue()

        async def lines():
            while (number := await numbers.get()) is not None:
                task = {"id": str(number), "url": f"{ORIGIN}/text?text={number}"}
                yield json.dumps(task).encode() + b"\n"

        kind = {"Content-Type": "application/x-ndjson"}
        await numbers.put(0)
        seen = []
        async with self.session.post(API + "/v1/batch", data=lines(), headers=kind) as response:
            async for line in response.content:
                outcome = json.loads(line)
                if outcome["type"] == "summary":
                    self.assertEqual(outcome["ok"], 10)
                    break
                seen.append(outcome["text"])
                await numbers.put(len(seen) if len(seen) < 10 else None)
        self.assertEqual(seen, list(map(str, range(10))))

    async def test_the_body_in_pieces(self):
        query = {"url": ORIGIN + "/bytes?n=3000000"}
        size = 0
        async with self.session.get(API + "/v1/fetch", params=query) as response:
            async for piece in response.content.iter_chunked(65536):
                size += len(piece)
        self.assertEqual((response.status, size), (200, 3000000))

    async def test_an_upload_in_pieces(self):
        async def pieces():
            yield b'{"name":'
            await asyncio.sleep(0.05)
            yield b'"mill"}'

        query = {"op": "json.select", "pointer": "/name"}
        async with self.session.post(API + "/v1/process", params=query, data=pieces()) as response:
            self.assertEqual((response.status, await response.json()), (200, "mill"))

    async def test_connections_are_reused(self):
        for _ in range(4):
            async with self.session.head(API + "/v1/ops") as response:
                self.assertEqual(response.status, 200)
            async with self.session.post(API + "/v1/fetch", json={"url": ORIGIN}) as response:
                await response.read()
        self.assertEqual((self.made, self.reused), (1, 7))

    async def test_leaving_a_batch_early(self):
        tasks = [{"url": f"{ORIGIN}/delay?ms=10&n={number}"} for number in range(100)]
        batch = {"tasks": tasks, "concurrency": 1}
        async with self.session.post(API + "/v1/batch", json=batch) as response:
            self.assertEqual(json.loads(await response.content.readline())["type"], "result")
        async with self.session.get(API + "/livez") as response:
            self.assertEqual(response.status, 200)


if __name__ == "__main__":
    unittest.main()
