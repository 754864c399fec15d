#!/bin/sh
# Installs those Debian packages of a list that are missing: as root, or by sudo if it asks no
# password. Otherwise says which they are and ends with 2. On other systems it only says so.
#
#   install-packages.sh FILE [GROUP]    the whole list, or the group behind "# group: GROUP"
set -eu

list=${1:?usage: install-packages.sh FILE [GROUP]}
group=${2:-}

wanted=$(awk -v wanted="$group" '
  /^# group: / { group = $3 }
  /^#/ || !NF { next }
  wanted == "" || wanted == group { print $1 }' "$list")
if [ -z "$wanted" ]; then
  echo "$list names no package${group:+ of group $group}" >&2
  exit 2
fi

if ! command -v dpkg-query >/dev/null; then
  echo "Not a Debian system: nothing installed. $list names the Debian 12 packages that are needed." >&2
  exit 0
fi

# An unknown name makes dpkg-query fail; it still prints what it knows of the others.
# shellcheck disable=SC2086
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
  awk '$2 == "installed" { print $1 }' || true)
missing=
for package in $wanted; do
  case "
$installed
" in
    *"
$package
"*) ;;
    *) missing="$missing $package" ;;
  esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root=
elif sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "These Debian packages are missing:$missing" >&2
  echo "Install them with:" >&2
  echo "  sudo apt-get update && sudo apt-get install --no-install-recommends$missing" >&2
  exit 2
fi

echo "Installing:$missing"
# shellcheck disable=SC2086
{
  $as_root apt-get update -q
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
}
