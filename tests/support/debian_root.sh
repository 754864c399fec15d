#!/bin/bash
# Makes a minimal Debian 12 in a folder, by debootstrap, out of the packages that this machine's apt
# gets: from the same places, with the same proxies. Needs root. Ends with 77 where there is no such
# place, or no debootstrap.
#
#   debian_root.sh FOLDER
set -euo pipefail

folder=${1:?usage: debian_root.sh FOLDER}
release=bookworm

cannot() {
  echo "cannot make a Debian: $*" >&2
  exit 77
}

# A line "URI SUITE COMPONENT" for each place that apt has an index of.
places() {
  # shellcheck disable=SC2016 # these are apt's
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Created-By: Packages' 'Origin: Debian' | grep -E " $release(-updates|-security)? main$" | sort -u
}

[ "$(id -u)" -eq 0 ] || cannot "that takes root"
command -v debootstrap >/dev/null || cannot "debootstrap is not installed"
command -v apt-get >/dev/null || cannot "there is no apt here"
[ -n "$(places)" ] || apt-get update -q >/dev/null || true
mirror=$(places | awk -v release="$release" '$2 == release { print $1; exit }')
[ -n "$mirror" ] || cannot "apt knows no place for $release"

debootstrap --variant=minbase "$release" "$folder" "$mirror" >"$folder.log" 2>&1 || {
  tail -n 5 "$folder.log" >&2
  exit 1
}
rm "$folder.log"
# As in the images of Debian: what is installed need not survive a loss of power.
echo force-unsafe-io >"$folder/etc/dpkg/dpkg.cfg.d/unsafe-io"
places | sed 's/^/deb /' >"$folder/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(http|https|Check|Retries)' >"$folder/etc/apt/apt.conf.d/99machine" ||
  true
rm -f "$folder"/var/cache/apt/archives/*.deb
