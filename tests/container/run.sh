#!/bin/bash
# Builds the image of the Dockerfile and tests it, by podman, without an image registry: the base
# image is made here, by debootstrap. Needs root; where it cannot run, it says so and ends with 0.
#
#   run.sh        KEEP=1 leaves base, layers and image in build/container for the next run;
#                 IMAGE_OPS=ON and PYTHON_OPS=ON build, and test, the image with those ops
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=$PWD/build/container
base=debian:bookworm-slim # as the Dockerfile has it
revision=container-test
export IMAGE_OPS=${IMAGE_OPS:-OFF} PYTHON_OPS=${PYTHON_OPS:-OFF}

skip() {
  echo "container test skipped: $*"
  exit 0
}

clean_up() {
  "${engine[@]}" rm --all --force --time=0 >/dev/null 2>&1 || true
  [ -n "${KEEP:-}" ] || rm -rf "$work"
}

[ "$(id -u)" -eq 0 ] || skip "it takes root"
deploy/install-packages.sh deploy/packages-container.txt >&2 || skip "its packages cannot be had"
unshare --net true 2>/dev/null || skip "it takes a network of its own"
command -v podman runc debootstrap >/dev/null || skip "it takes podman, runc and debootstrap"

# An engine of its own: nothing that others have is seen or changed. runc and cgroupfs work also
# where no systemd runs, and the slow driver vfs on every file system.
engine=(podman --root "$work/storage" --runroot "$work/run" --tmpdir "$work/tmp"
  --storage-driver vfs --runtime runc --cgroup-manager cgroupfs --events-backend file)

mkdir -p "$work"
trap clean_up EXIT

if ! "${engine[@]}" image exists "$base"; then
  code=0
  tests/support/debian_root.sh "$work/base" || code=$?
  [ "$code" -ne 77 ] || skip "there is no base image to be had"
  [ "$code" -eq 0 ] || exit "$code"
  tar -C "$work/base" -c . | "${engine[@]}" import --quiet - "$base"
  rm -rf "$work/base"
fi
echo "base image after $SECONDS s"

# No step needs more isolation than a chroot. Layers are for the next run only: each is a copy. The
# output is of interest when it fails.
layers=$([ -n "${KEEP:-}" ] && echo true || echo false)
"${engine[@]}" build --pull=never --isolation chroot --layers="$layers" --format docker --tag fetchmill \
  --build-arg "REVISION=$revision" --build-arg "IMAGE_OPS=$IMAGE_OPS" \
  --build-arg "PYTHON_OPS=$PYTHON_OPS" . >"$work/build.log" 2>&1 || {
  tail -n 50 "$work/build.log"
  exit 1
}
echo "image after $SECONDS s"

FETCHMILL_ENGINE="${engine[*]}" FETCHMILL_REVISION=$revision PYTHONDONTWRITEBYTECODE=1 \
  python3 tests/container/test_image.py
echo "container test passed after $SECONDS s"
