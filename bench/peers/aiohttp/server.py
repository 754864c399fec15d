"""aiohttp server and client, a ProcessPoolExecutor for CPU work: server.py PORT WORKERS

Tuned: uvloop; no access log; kept connections to upstreams are not limited; bodies go to the pool as
bytes and are decoded there.
"""

import asyncio
import json
import sys
from concurrent.futures import ProcessPoolExecutor

import aiohttp
import uvloop
from aggregate import aggregate, burn
from aiohttp import web

POOL = "pool"
CLIENT = "client"
JSON = {"Content-Type": "application/json"}


def answer(body, status=200):
    return web.Response(body=body, status=status, headers=JSON)


async def get(request, url):
    async with request.app[CLIENT].get(url) as response:
        return response.status, await response.read()


async def hello(_):
    return answer(b'{"status":"ok"}')


async def fetch(request):
    status, body = await get(request, request.query["url"])
    return answer(body, status)


async def run_in_pool(request, *call):
    return await asyncio.get_running_loop().run_in_executor(request.app[POOL], *call)


async def fetch_and_aggregate(request):
    _, body = await get(request, request.query["url"])
    return answer(json.dumps(await run_in_pool(request, aggregate, body)).encode())


async def run_burn(request):
    result = await run_in_pool(request, burn, int(request.query["iterations"]))
    return answer(str(result).encode())


async def batch(request):
    async def outcome(url):
        try:
            status, body = await get(request, url)
            return {"url": url, "status": status, "body": body.decode()}
        except aiohttp.ClientError as error:
            return {"url": url, "error": repr(error)}

    outcomes = await asyncio.gather(*map(outcome, await request.json()))
    return answer(json.dumps(outcomes).encode())


async def serve(port, workers):
    app = web.Application(client_max_size=64 << 20)
    app[POOL] = ProcessPoolExecutor(workers)
    app[POOL].submit(burn, 1).result()  # starts it before there are sockets to inherit
    app[CLIENT] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    app.add_routes(
        [
            web.get("/healthz", hello),
            web.get("/fetch", fetch),
            web.get("/aggregate", fetch_and_aggregate),
            web.post("/burn", run_burn),
            web.post("/batch", batch),
        ]
    )
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=600)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(serve(*map(int, sys.argv[1:])))
