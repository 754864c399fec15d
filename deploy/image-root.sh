#!/bin/sh
# Gathers the root file system of the container image: a server, stripped, and of this Debian only
# what it loads and reads. Which packages that came from stands where scanners look for it, with
# their copyright notices.
#
#   image-root.sh BINARY ROOT
set -eu

binary=${1:?usage: image-root.sh BINARY ROOT}
root=${2:?usage: image-root.sh BINARY ROOT}
here=$(cd "$(dirname "$0")/.." && pwd)

# What the C library loads by itself: the conversions of character sets.
converters=$(dirname "$(find /usr/lib -name gconv-modules.cache)")

# The files that the dynamic loader maps for a program, the loader itself included.
libraries_of() {
  ldd "$1" | awk '
    / => not found/ { print "not found: " $1 >"/dev/stderr"; failed = 1 }
    $2 == "=>" && $3 ~ /^\// { print $3 }
    $1 ~ /^\// { print $1 }
    END { exit failed }'
}

# put PATH: a file, or a folder with all in it, at its place below the root. /lib is /usr/lib.
put() {
  folder=$root$(realpath "$(dirname "$1")")
  mkdir -p "$folder"
  cp -RL --preserve=mode "$1" "$folder/"
}

# note PATH: that this came from its package. Packages name paths with and without /usr.
note() {
  package=$({ dpkg-query -S "$1" || dpkg-query -S "/usr$1"; } 2>/dev/null | sed 's/[:,].*//;q')
  [ -n "$package" ] || { echo "of no package: $1" >&2; exit 1; }
  [ ! -e "$root/var/lib/dpkg/status.d/$package" ] || return 0
  dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
  put "/usr/share/doc/$package/copyright"
}

mkdir -p "$root/usr/lib" "$root/usr/lib64" "$root/var/lib/dpkg/status.d" "$root/etc"
ln -s usr/lib usr/lib64 "$root/"

install -D "$binary" "$root/usr/local/bin/fetchmill"
strip "$root/usr/local/bin/fetchmill"
install -D -m 644 "$here/LICENSE" "$root/usr/share/doc/fetchmill/LICENSE"
printf 'fetchmill:x:65532:65532:fetchmill:/:/nonexistent\n' >"$root/etc/passwd"
printf 'fetchmill:x:65532:\n' >"$root/etc/group"

libraries=$(libraries_of "$binary")
for path in $libraries "$converters"; do
  put "$path"
  note "$path"
done
put /etc/ssl/certs/ca-certificates.crt
note /usr/sbin/update-ca-certificates
