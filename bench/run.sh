#!/bin/sh
# Runs every benchmark of the build in BUILD (default: build/release), one after the other.
# The figures mean something on an otherwise idle machine only.
set -eu

cd "$(dirname "$0")/.."
build=${BUILD:-build/release}

sed -n 's/^model name[^:]*: /CPU: /p' /proc/cpuinfo | head -n 1
echo "load before: $(cut -d' ' -f1 /proc/loadavg) on $(nproc) CPUs"

run() {
  printf '\n== %s\n' "$1"
  shift
  "$@"
}
run "JSON ops beside simdjson" "$build/bench/micro_json"
run "tiny tasks" "$build/bench/micro_pool"
run "isolation: in-process against through the pool" "$build/bench/isolation"
run "a worker killed in the middle of a run" python3 bench/broken_pool/compare.py --build "$build"
run "answers while the pool is saturated" python3 bench/saturation.py --build "$build"
