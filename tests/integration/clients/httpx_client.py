"""Python's httpx: many requests at once, an asynchronous upload, server-sent events."""

import asyncio
import json
import os
import unittest

import httpx

API, ORIGIN = os.environ["API"], os.environ["ORIGIN"]


class Httpx(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.client = await self.enterAsyncContext(httpx.AsyncClient(base_url=API, timeout=30))

    async def test_many_at_once(self):
        async def fetch(number):
            query = {"url": f"{ORIGIN}/text?text={number}"}
            return (await self.client.get("/v1/fetch", params=query)).text

        texts = await asyncio.gather(*map(fetch, range(100)))
        self.assertEqual(texts, [str(number) for number in range(100)])

    async def test_requests_share_a_connection(self):
        ports = set()
        for method, path in (("GET", "/livez"), ("HEAD", "/v1/ops"), ("POST", "/v1/fetch")) * 3:
            body = {"url": ORIGIN + "/json"} if method == "POST" else None
            async with self.client.stream(method, path, json=body) as response:
                stream = response.extensions["network_stream"]
                ports.add(stream.get_extra_info("client_addr")[1])
                await response.aread()
                self.assertEqual(response.status_code, 200)
        self.assertEqual(len(ports), 1)

    async def test_lines_out_of_an_asynchronous_generator(self):
        async def lines():
            for number in range(1000):
                await asyncio.sleep(0)
                yield f"{ORIGIN}/text?text={number}\n".encode()

        outcomes = []
        async with self.client.stream(
            "POST", "/v1/batch?order=input", content=lines(), headers={"Content-Type": "text/plain"}
        ) as response:
            self.assertEqual(response.headers["content-type"], "application/x-ndjson")
            async for line in response.aiter_lines():
                outcomes.append(json.loads(line))
        self.assertEqual([o.get("text") for o in outcomes[:-1]], list(map(str, range(1000))))
        self.assertEqual(outcomes[-1]["ok"], 1000)

    async def test_events(self):
        tasks = [{"url": f"{ORIGIN}/delay?ms={ms}"} for ms in (100, 10, 50)]
        events = []
        async with self.client.stream(
            "POST", "/v1/batch", json={"tasks": tasks}, headers={"Accept": "text/event-stream"}
        ) as response:
            self.assertTrue(response.headers["content-type"].startswith("text/event-stream"))
            fields = {}
            async for line in response.aiter_lines():
                if line.strip():
                    name, _, value = line.rstrip("\n").partition(": ")
                    fields[name] = value
                elif fields:
                    events.append(fields)
                    fields = {}
        self.assertEqual([event["event"] for event in events], ["outcome"] * 3 + ["summary"])
        self.assertEqual(sorted(event["id"] for event in events[:3]), ["0", "1", "2"])
        self.assertEqual(json.loads(events[3]["data"])["ok"], 3)

    async def test_a_merge(self):
        tasks = {name: {"url": f"{ORIGIN}/text?text={name}"} for name in ("a", "b")}
        pipeline = [{"op": "json.select", "pointer": ["/b", "/a"]}]
        response = await self.client.post("/v1/merge", json={"tasks": tasks, "pipeline": pipeline})
        self.assertEqual((response.status_code, response.json()), (200, ["b", "a"]))

    async def test_giving_up_ends_the_fetch(self):
        with self.assertRaises(httpx.ReadTimeout):
            query = {"url": ORIGIN + "/delay?ms=20000"}
            timeout = httpx.Timeout(30, read=0.2)
            await self.client.get("/v1/fetch", params=query, timeout=timeout)
        async with asyncio.timeout(60):
            while True:
                counters = (await self.client.get(ORIGIN + "/counters")).json()
                if counters["requests"]["open"] <= 1:  # the one that asks
                    break
                await asyncio.sleep(0.01)


if __name__ == "__main__":
    unittest.main()
