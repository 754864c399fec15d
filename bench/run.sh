#!/bin/sh
# Runs every micro benchmark of the build in BUILD (default: build/release), one after the other.
# The figures mean something on an otherwise idle machine only.
set -eu

cd "$(dirname "$0")/.."
build=${BUILD:-build/release}

sed -n 's/^model name[^:]*: /CPU: /p' /proc/cpuinfo | head -n 1
echo "load before: $(cut -d' ' -f1 /proc/loadavg) on $(nproc) CPUs"
for program in "$build"/bench/micro_*; do
  [ -f "$program" ] || continue # the pattern itself, where nothing was built
  printf '\n%s\n' "${program##*/}"
  "$program"
done
