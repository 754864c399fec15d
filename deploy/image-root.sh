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

# The files that the dynamic loader maps for these, the loader itself included.
libraries_of() {
  ldd "$@" | awk '
    / => not found/ { print "not found: " $1 >"/dev/stderr"; failed = 1 }
    $2 == "=>" && $3 ~ /^\// { print $3 }
    $1 ~ /^\// && $2 ~ /^\(0x/ { print $1 }
    END { exit failed }'
}

# put PATH: a file, or a folder with all in it, at its place below the root. /lib is /usr/lib.
put() {
  folder=$root$(realpath "$(dirname "$1")")
  mkdir -p "$folder"
  cp -RL --preserve=mode "$1" "$folder/"
}

# note PATH: that this came from its packages. They name paths with and without /usr, and a path may
# be a link that belongs to none.
note() {
  packages=$({ dpkg-query -S "$1" || dpkg-query -S "/usr$1" || dpkg-query -S "$(realpath "$1")"; } \
    2>/dev/null | sed 's/: .*//; s/:[^,]*//g; s/,//g')
  [ -n "$packages" ] || { echo "of no package: $1" >&2; exit 1; }
  for package in $packages; do
    [ ! -e "$root/var/lib/dpkg/status.d/$package" ] || continue
    dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
    # Under its own name, also where the folder is a link to another package's.
    install -D -m 644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
  done
}

mkdir -p "$root/usr/lib" "$root/usr/lib64" "$root/var/lib/dpkg/status.d" "$root/etc"
ln -s usr/lib usr/lib64 "$root/"
install -D "$binary" "$root/usr/local/bin/fetchmill"
strip "$root/usr/local/bin/fetchmill"
install -D -m 644 "$here/LICENSE" "$root/usr/share/doc/fetchmill/LICENSE"
printf 'fetchmill:x:65532:65532:fetchmill:/:/nonexistent\n' >"$root/etc/passwd"
printf 'fetchmill:x:65532:\n' >"$root/etc/group"

# What libraries load by themselves: the C library what converts character sets, libvips what reads
# AVIF and HEIC, CPython its standard library.
loaded=$(dirname "$(find /usr/lib -name gconv-modules.cache)")
linked=$(libraries_of "$binary")
case $linked in *libvips.so*) loaded="$loaded $(find /usr/lib -name vips-heif.so)" ;; esac
case $linked in *libpython3*) loaded="$loaded $(echo /usr/lib/python3.*)" ;; esac
# shellcheck disable=SC2086
modules=$(find $loaded -type f -name '*.so*')
# shellcheck disable=SC2086
for path in $(libraries_of "$binary" $modules | sort -u) $loaded; do
  put "$path"
  note "$path"
done
# What C programs link, and CPython's own tests.
rm -rf "$root"/usr/lib/python3.*/config-* "$root"/usr/lib/python3.*/test
put /etc/ssl/certs/ca-certificates.crt
note /usr/sbin/update-ca-certificates
