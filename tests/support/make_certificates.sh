#!/bin/bash
# Makes a certificate authority and the server certificates the TLS tests need, in the folder given.
#
#   ca.pem                      the authority to trust (fetch.ca_file)
#   good.pem, good.key          for localhost, *.many.test and 127.0.0.1
#   expired.pem, expired.key    the same names, not valid any more
#   other.pem, other.key        valid, for another name
#   stranger.pem, stranger.key  the right names, from an authority nobody trusts
#   nobody.pem, nobody.key      that authority
#   client.pem, client.key      a client's, from the authority to trust
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

authority() { # NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj "/CN=fetchmill test $1" -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign -keyout "$1.key" -out "$1.pem" 2>/dev/null
}

certificate() { # NAME AUTHORITY ALT_NAMES FIRST_DAY LAST_DAY [USE]
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$1.key" -out "$1.csr" 2>/dev/null
  printf 'subjectAltName=%s\nextendedKeyUsage=%s\n' "$3" "${6:-serverAuth}" >"$1.ext"
  rm -f index index.attr
  : >index
  # `openssl ca` is the one command that takes both dates, which an expired certificate needs.
  openssl ca -batch -notext -config /dev/stdin -in "$1.csr" -out "$1.pem" -cert "$2.pem" \
    -keyfile "$2.key" -startdate "$4" -enddate "$5" -extfile "$1.ext" \
    2>ca.log <<'CONFIG' || { cat ca.log >&2; exit 1; }
[ca]
default_ca = tests
[tests]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
CONFIG
}

names=DNS:localhost,DNS:*.many.test,IP:127.0.0.1
yesterday=$(date -u -d '1 day ago' +%Y%m%d%H%M%SZ)
next_month=$(date -u -d '30 days' +%Y%m%d%H%M%SZ)
authority ca
authority nobody
certificate good ca "$names" "$yesterday" "$next_month"
certificate expired ca "$names" 20200101000000Z 20200201000000Z
certificate other ca DNS:other.example "$yesterday" "$next_month"
certificate stranger nobody "$names" "$yesterday" "$next_month"
certificate client ca DNS:client.example "$yesterday" "$next_month" clientAuth
