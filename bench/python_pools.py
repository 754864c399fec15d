"""What a tiny task costs in Python's process pools: one line each, a name and ns a task.

    python_pools.py TASKS

One worker process, started and warm before the clock runs.
"""

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor


def task(number):
    return number + 1


def measure(name, run, count):
    begin = time.perf_counter_ns()
    results = list(run(task, range(count)))
    elapsed = time.perf_counter_ns() - begin
    assert results == list(range(1, count + 1))
    print(f"{elapsed / count:.0f} {name}", flush=True)


def main():
    count = int(sys.argv[1])
    with multiprocessing.Pool(1) as pool:
        pool.map(task, range(10))
        measure("Pool.map, its own chunks", pool.map, count)
        measure("Pool.imap, one by one", pool.imap, count)
    with ProcessPoolExecutor(1) as pool:
        list(pool.map(task, range(10)))
        measure("ProcessPoolExecutor.map", pool.map, count)


if __name__ == "__main__":
    main()
