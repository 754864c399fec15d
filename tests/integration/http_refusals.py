"""Requests the gate must refuse, by what is wrong with them, as exact bytes."""

SECOND = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET = b"GET /livez HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"
POST = b"POST /v1/process?op=identity HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"\r\n"

BAD_REQUEST_LINES = {
    "lower-case version": b"GET /livez http/1.1\r\n" + HOST + END,
    "trailing space": b"GET /livez HTTP/1.1 \r\n" + HOST + END,
    "two spaces": b"GET  /livez HTTP/1.1\r\n" + HOST + END,
    "two spaces before the version": b"GET /livez  HTTP/1.1\r\n" + HOST + END,
    "leading space": b" GET /livez HTTP/1.1\r\n" + HOST + END,
    "tab": b"GET\t/livez HTTP/1.1\r\n" + HOST + END,
    "no version": b"GET /livez\r\n" + HOST + END,
    "no target": b"GET HTTP/1.1\r\n" + HOST + END,
    "space in the target": b"GET /li vez HTTP/1.1\r\n" + HOST + END,
    "control in the target": b"GET /li\x01vez HTTP/1.1\r\n" + HOST + END,
    "NUL in the target": b"GET /li\0vez HTTP/1.1\r\n" + HOST + END,
    "bare CR in the target": b"GET /li\rvez HTTP/1.1\r\n" + HOST + END,
    "byte above ASCII in the target": b"GET /li\xffvez HTTP/1.1\r\n" + HOST + END,
    "target without a slash": b"GET livez HTTP/1.1\r\n" + HOST + END,
    "fragment in the target": b"GET /livez#a HTTP/1.1\r\n" + HOST + END,
    "no token for a method": b"G(T /livez HTTP/1.1\r\n" + HOST + END,
    "no method": b"/livez HTTP/1.1\r\n" + HOST + END,
    "bare LF after the line": b"GET /livez HTTP/1.1\n" + HOST + END,
    "three digits of version": b"GET /livez HTTP/1.10\r\n" + HOST + END,
    "version without a dot": b"GET /livez HTTP/11\r\n" + HOST + END,
    "another protocol": b"GET /livez ICY/1.1\r\n" + HOST + END,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32 + b"\r\n\r\n",
}

BAD_FIELDS = {
    "bare LF after a field": GET + HOST + b"A: b\nC: d\r\n\r\n",
    "bare LF ends the head": GET + HOST + b"\n",
    "bare LF throughout": b"GET /livez HTTP/1.1\nHost: localhost\n\n",
    "bare CR in a value": GET + HOST + b"A: b\rc\r\n\r\n",
    "bare CR ends a field": GET + HOST + b"A: b\rC: d\r\n\r\n",
    "CR CR LF": GET + HOST + b"A: b\r\r\n\r\n",
    "NUL in a value": GET + HOST + b"A: b\0c\r\n\r\n",
    "NUL in a name": GET + HOST + b"A\0: b\r\n\r\n",
    "control in a value": GET + HOST + b"A: b\x01c\r\n\r\n",
    "obs-fold with a space": GET + HOST + b"A: b\r\n c\r\n\r\n",
    "obs-fold with a tab": GET + HOST + b"A: b\r\n\tc\r\n\r\n",
    "obs-fold before the first field": GET + b" A: b\r\n" + HOST + END,
    "space before the colon": GET + HOST + b"A : b\r\n\r\n",
    "tab before the colon": GET + HOST + b"A\t: b\r\n\r\n",
    "no colon": GET + HOST + b"A\r\n\r\n",
    "empty name": GET + HOST + b": b\r\n\r\n",
    "space in a name": GET + HOST + b"A B: c\r\n\r\n",
    "separator in a name": GET + HOST + b"A(B): c\r\n\r\n",
    "byte above ASCII in a name": GET + HOST + b"A\xe9: c\r\n\r\n",
}

BAD_FRAMINGS = {
    "both lengths": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, turned": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "the same length twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
    "comma-joined lengths": POST + b"Content-Length: 2, 2\r\n\r\nab",
    "signed length": POST + b"Content-Length: +2\r\n\r\nab",
    "negative length": POST + b"Content-Length: -2\r\n\r\nab",
    "hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\nab",
    "length with a fraction": POST + b"Content-Length: 2.0\r\n\r\nab",
    "length in two words": POST + b"Content-Length: 2 2\r\n\r\nab",
    "empty length": POST + b"Content-Length:\r\n\r\n",
    "length over 64 bits": POST + b"Content-Length: 18446744073709551618\r\n\r\nab",
    "length of a GET twice": GET + HOST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "coding gzip": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "coding identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "coding empty": POST + b"Transfer-Encoding:\r\n\r\n",
    "coding gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding chunked, gzip": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "coding chunked, chunked": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "coding with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "coding in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "coding with a prefix": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding after a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "coding with a trailing comma": POST + b"Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
    "two coding fields": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding in HTTP/1.0": b"POST /v1/process?op=identity HTTP/1.0\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}

BAD_HOSTS = {
    "no Host": GET + END,
    "two Hosts": GET + HOST + b"Host: other\r\n\r\n",
    "the same Host twice": GET + HOST + HOST + END,
    "Host with a space": GET + b"Host: a b\r\n\r\n",
    "Host with userinfo": GET + b"Host: a@localhost\r\n\r\n",
    "Host with a path": GET + b"Host: localhost/a\r\n\r\n",
    "Host list": GET + b"Host: localhost, localhost\r\n\r\n",
    "Host with two ports": GET + b"Host: localhost:1:2\r\n\r\n",
    "Host with letters for a port": GET + b"Host: localhost:http\r\n\r\n",
    "Host with half a bracket": GET + b"Host: [::1\r\n\r\n",
    "Host with a query": GET + b"Host: localhost?a\r\n\r\n",
    "Host with a backslash": GET + b"Host: localhost\\a\r\n\r\n",
}

BAD_CHUNKS = {
    "no size": CHUNKED + b"\r\nab\r\n0\r\n\r\n",
    "letters": CHUNKED + b"zz\r\nab\r\n0\r\n\r\n",
    "signed": CHUNKED + b"+2\r\nab\r\n0\r\n\r\n",
    "negative": CHUNKED + b"-2\r\nab\r\n0\r\n\r\n",
    "prefixed": CHUNKED + b"0x2\r\nab\r\n0\r\n\r\n",
    "leading space": CHUNKED + b" 2\r\nab\r\n0\r\n\r\n",
    "trailing space": CHUNKED + b"2 \r\nab\r\n0\r\n\r\n",
    "trailing tab": CHUNKED + b"2\t\r\nab\r\n0\r\n\r\n",
    "trailing junk": CHUNKED + b"2 b\r\nab\r\n0\r\n\r\n",
    "bare LF after the size": CHUNKED + b"2\nab\r\n0\r\n\r\n",
    "bare CR after the size": CHUNKED + b"2\rab\r\n0\r\n\r\n",
    "NUL after the size": CHUNKED + b"2\0\r\nab\r\n0\r\n\r\n",
    "over 64 bits": CHUNKED + b"10000000000000002\r\nab\r\n0\r\n\r\n",
    "data longer than its size": CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",
    "no CRLF after the data": CHUNKED + b"2\r\nab0\r\n\r\n",
    "bare LF after the data": CHUNKED + b"2\r\nab\n0\r\n\r\n",
    "bare LF in an extension": CHUNKED + b"2;a\nb\r\nab\r\n0\r\n\r\n",
    "bare CR in an extension": CHUNKED + b"2;a\rb\r\nab\r\n0\r\n\r\n",
    "NUL in an extension": CHUNKED + b"2;a=\0\r\nab\r\n0\r\n\r\n",
    "bare LF after the last size": CHUNKED + b"2\r\nab\r\n0\n\r\n",
    "bare LF ends the body": CHUNKED + b"2\r\nab\r\n0\r\n\n",
    "trailer without a colon": CHUNKED + b"0\r\nA\r\n\r\n",
    "trailer with a space before the colon": CHUNKED + b"0\r\nA : b\r\n\r\n",
    "folded trailer": CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n",
    "bare LF after a trailer": CHUNKED + b"0\r\nA: b\n\r\n",
    "NUL in a trailer": CHUNKED + b"0\r\nA: \0\r\n\r\n",
}

OVER_LIMITS = {
    "request line": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + END,
    "method": b"G" * 9000 + b" / HTTP/1.1\r\n" + HOST + END,
    "one field": GET + HOST + b"A: " + b"b" * 33_000 + b"\r\n\r\n",
    "one name": GET + HOST + b"A" * 33_000 + b": b\r\n\r\n",
    "head": GET + HOST + (b"A: " + b"b" * 1000 + b"\r\n") * 40 + END,
    "fields": GET + HOST + b"A: b\r\n" * 101 + END,
    "chunk line": CHUNKED + b"2;" + b"a" * 300 + b"\r\nab\r\n0\r\n\r\n",
    "chunk size": CHUNKED + b"0" * 300 + b"2\r\nab\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"0\r\n" + (b"A: " + b"b" * 90 + b"\r\n") * 60 + END,
    "one trailer": CHUNKED + b"0\r\nA: " + b"b" * 5000 + b"\r\n\r\n",
}

# Refused for their form, so 400; for a limit some servers' customary statuses are as good.
REFUSED = {400}
REFUSED_FOR_SIZE = {400, 414, 431}
