#!/bin/bash
# The newcomer's path: a Debian 12 with git and make and nothing else, a clone of what is committed
# here, and README from top to bottom. As root; where it cannot run, it says so and ends with 0.
# It takes as long as a first build, and more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

skip() {
  echo "newcomer test skipped: $*"
  exit 0
}

[ "$(id -u)" -eq 0 ] || skip "it takes root"
deploy/install-packages.sh deploy/packages-container.txt >&2 || skip "its packages cannot be had"
# What is mounted below, and what is started, goes with these namespaces.
[ -n "${FETCHMILL_NEWCOMER:-}" ] ||
  exec env FETCHMILL_NEWCOMER=1 unshare --mount --pid --fork --kill-child "$0"

root=$PWD/build/newcomer
rm -rf "$root"
mkdir -p "$root"
trap 'umount --recursive "$root/proc" "$root/dev"; rm -rf --one-file-system "$root"' EXIT

code=0
tests/support/debian_root.sh "$root" || code=$?
[ "$code" -ne 77 ] || skip "there is no Debian to be had"
[ "$code" -eq 0 ] || exit "$code"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
mount -t proc proc "$root/proc"
echo "a new Debian after $SECONDS s"

inside() {
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
    DEBIAN_FRONTEND=noninteractive chroot "$root" bash -euc "$1"
}

inside 'apt-get update -q && apt-get install -q -y --no-install-recommends git make' >/dev/null
git clone --quiet . "$root/root/fetchmill"
inside 'cd /root/fetchmill && make demo'
echo "make demo done after $SECONDS s"
inside 'cd /root/fetchmill && python3 tests/newcomer/walk.py README.md'
echo "newcomer test passed after $SECONDS s"
