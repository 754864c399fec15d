#!/bin/sh
# What parts of the server cost, one program after the other, of the build in BUILD (build/release).
# The figures mean something on an otherwise idle machine only.
set -eu

cd "$(dirname "$0")/.."
build=${BUILD:-build/release}

sed -n 's/^model name[^:]*: /CPU: /p' /proc/cpuinfo | head -n 1
echo "load before: $(cut -d' ' -f1 /proc/loadavg) on $(nproc) CPUs"

# The scripts run by Debian's Python, which finds the Debian packages.
run() {
  printf '\n== %s\n' "$1"
  shift
  "$@"
}
run "JSON ops beside simdjson" "$build/bench/micro_json"
run "every op beside its library" "$build/bench/micro_ops"
run "tiny tasks" "$build/bench/micro_pool"
run "isolation: in-process against through the pool" "$build/bench/isolation"

export FETCHMILL_BIN="$build/fetchmill" FETCHMILL_ORIGIN="$build/tests/fetchmill-origin"
run "a worker killed in the middle of a run" /usr/bin/python3 bench/broken_pool/compare.py
run "a Python function: as an op, and in a process pool" /usr/bin/python3 bench/python_ops.py
