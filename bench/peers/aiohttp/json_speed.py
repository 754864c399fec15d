"""How fast aggregate.py aggregates a file: "GB_PER_S NAME". json_speed.py FILE"""

import pathlib
import sys
import time

from aggregate import aggregate


def main():
    body = pathlib.Path(sys.argv[1]).read_bytes()
    runs, elapsed, begin = 0, 0, time.perf_counter_ns()
    while elapsed < 200e6:
        aggregate(body)
        runs += 1
        elapsed = time.perf_counter_ns() - begin
    print(f"{len(body) * runs / elapsed:.4f} json of Python")


if __name__ == "__main__":
    main()
