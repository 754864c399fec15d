"""The usual program: aiohttp fetches, a ProcessPoolExecutor computes. One worker is killed midway.

    theirs.py < {"urls": […], "iterations": N, "workers": N, "kill_after": N}

It prints what became of each task as JSON. Nothing in it is made to fail: take kill_one() away and
it is the program that its libraries' documentation suggests.
"""

import asyncio
import json
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import aiohttp


def cpu_bound(body, iterations):
    result = 0
    for i in range(iterations):
        result += i * len(body)
    return result % 2**64


def kill_one(pool):
    """What the kernel does to a process that it wants the memory of."""
    os.kill(next(iter(pool._processes)), signal.SIGKILL)


async def run(urls, iterations, workers, kill_after):
    loop = asyncio.get_running_loop()
    done = 0
    with ProcessPoolExecutor(workers) as pool:
        async with aiohttp.ClientSession() as session:

            async def task(url):
                nonlocal done
                async with session.get(url) as response:
                    body = await response.read()
                result = await loop.run_in_executor(pool, cpu_bound, body, iterations)
                done += 1
                if done == kill_after:
                    kill_one(pool)
                return result

            outcomes = await asyncio.gather(*map(task, urls), return_exceptions=True)
            afterwards = await asyncio.gather(task(urls[0]), return_exceptions=True)
    return outcomes, not isinstance(afterwards[0], BaseException)


def main():
    given = json.load(sys.stdin)
    begin = time.monotonic()
    outcomes, usable = asyncio.run(run(**given))
    json.dump(
        {
            "elapsed_s": time.monotonic() - begin,
            "results": [None if isinstance(o, BaseException) else o for o in outcomes],
            "broken": sum(isinstance(o, BrokenProcessPool) for o in outcomes),
            "usable_afterwards": usable,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
