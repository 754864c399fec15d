// Bytes a strict HTTP/1.1 peer must refuse, and why; and bytes it must accept.
//
// One list for the unit tests of heads and bodies, which also feed every case in small pieces.
#pragma once

#include "server/wire/refusal.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::support {

using server::wire::Refusal;
using namespace std::string_literals;

struct RefusedCase {
  std::string name;
  std::string bytes;
  Refusal refusal;
};

struct AcceptedCase {
  std::string name;
  std::string bytes;
};

// In how large pieces each case arrives; the last is the whole.
inline constexpr std::size_t piece_sizes[] = {1, 2, 3, 4, 5, std::size_t{1} << 20U};

// A request with these field lines behind a valid Host.
inline std::string get_with(std::string_view field_lines) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(field_lines) + "\r\n";
}

inline std::string response_with(std::string_view field_lines) {
  return "HTTP/1.1 200 OK\r\n" + std::string(field_lines) + "\r\n";
}

inline std::string repeated_fields(std::size_t count) {
  std::string lines;
  for (std::size_t i = 0; i < count; ++i) lines += "X-" + std::to_string(i) + ": v\r\n";
  return lines;
}

// A field grammar violation is one in requests, responses and, where it can occur there, trailers.
inline std::vector<RefusedCase> field_line_refusals() {
  return {
      {"bare LF ends a field", "X: y\nA: b\r\n", Refusal::bare_lf},
      {"bare LF inside a value", "X: y\nz\r\n", Refusal::bare_lf},
      {"bare CR inside a value", "X: y\rz\r\n", Refusal::bare_cr},
      {"CR CR LF", "X: y\r\r\n", Refusal::bare_cr},
      {"NUL inside a value", "X: y\0z\r\n"s, Refusal::nul},
      {"NUL inside a name", "X\0Y: z\r\n"s, Refusal::nul},
      {"control character inside a value", "X: y\x01z\r\n", Refusal::control_character},
      {"escape inside a value", "X: \x1b[0m\r\n", Refusal::control_character},
      {"vertical tab before a value", "X:\x0bz\r\n", Refusal::control_character},
      {"DEL inside a value", "X: y\x7f\r\n", Refusal::control_character},
      {"folded with a space", "X: y\r\n z\r\n", Refusal::folded_line},
      {"folded with a tab", "X: y\r\n\tz\r\n", Refusal::folded_line},
      {"first field line begins with a space", " X: y\r\n", Refusal::folded_line},
      {"folded Transfer-Encoding", "Transfer-Encoding: chunked\r\n , x\r\n", Refusal::folded_line},
      {"space before the colon", "X : y\r\n", Refusal::space_before_colon},
      {"tab before the colon", "X\t: y\r\n", Refusal::space_before_colon},
      {"space before the colon of a length", "Content-Length : 5\r\n", Refusal::space_before_colon},
      {"space inside a name", "X Y: z\r\n", Refusal::space_before_colon},
      {"no colon", "garbage\r\n", Refusal::missing_colon},
      {"empty name", ": y\r\n", Refusal::empty_field_name},
      {"parenthesis in a name", "X(1): y\r\n", Refusal::invalid_field_name},
      {"slash in a name", "X/1: y\r\n", Refusal::invalid_field_name},
      {"quote in a name", "\"X\": y\r\n", Refusal::invalid_field_name},
      {"byte above ASCII in a name", "X\xe9: y\r\n", Refusal::invalid_field_name},
      {"non-breaking space in a framing name", "Content-Length\xa0: 5\r\n",
       Refusal::invalid_field_name},
  };
}

// Refused in requests and responses alike.
inline std::vector<RefusedCase> framing_refusals() {
  return {
      {"both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
       Refusal::both_lengths},
      {"both lengths, the other way round", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
       Refusal::both_lengths},
      {"two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n",
       Refusal::content_length_repeated},
      {"two equal lengths", "Content-Length: 5\r\ncontent-length: 5\r\n",
       Refusal::content_length_repeated},
      {"joined lengths", "Content-Length: 5, 6\r\n", Refusal::content_length_repeated},
      {"joined equal lengths", "Content-Length: 5,5\r\n", Refusal::content_length_repeated},
      {"empty length", "Content-Length:\r\n", Refusal::content_length_invalid},
      {"blank length", "Content-Length: \t \r\n", Refusal::content_length_invalid},
      {"length with a plus", "Content-Length: +5\r\n", Refusal::content_length_invalid},
      {"negative length", "Content-Length: -5\r\n", Refusal::content_length_invalid},
      {"hexadecimal length", "Content-Length: 0x5\r\n", Refusal::content_length_invalid},
      {"length with a space inside", "Content-Length: 1 2\r\n", Refusal::content_length_invalid},
      {"length with a fraction", "Content-Length: 5.0\r\n", Refusal::content_length_invalid},
      {"length in quotes", "Content-Length: \"5\"\r\n", Refusal::content_length_invalid},
      {"length with a letter", "Content-Length: 5b\r\n", Refusal::content_length_invalid},
      {"length in other digits", "Content-Length: \xd9\xa5\r\n", Refusal::content_length_invalid},
      {"length of 2^64", "Content-Length: 18446744073709551616\r\n",
       Refusal::content_length_too_large},
      {"length of 2^64 + 5", "Content-Length: 18446744073709551621\r\n",
       Refusal::content_length_too_large},
      {"length of many zeros", "Content-Length: 0000000000000000005\r\n",
       Refusal::content_length_too_large},
      {"empty transfer coding", "Transfer-Encoding:\r\n", Refusal::transfer_encoding_unsupported},
      {"unknown transfer coding", "Transfer-Encoding: xchunked\r\n",
       Refusal::transfer_encoding_unsupported},
      {"identity", "Transfer-Encoding: identity\r\n", Refusal::transfer_encoding_unsupported},
      {"gzip before chunked", "Transfer-Encoding: gzip, chunked\r\n",
       Refusal::transfer_encoding_unsupported},
      {"chunked before gzip", "Transfer-Encoding: chunked, gzip\r\n",
       Refusal::transfer_encoding_unsupported},
      {"chunked twice in a list", "Transfer-Encoding: chunked, chunked\r\n",
       Refusal::transfer_encoding_unsupported},
      {"chunked and an empty element", "Transfer-Encoding: chunked,\r\n",
       Refusal::transfer_encoding_unsupported},
      {"chunked in quotes", "Transfer-Encoding: \"chunked\"\r\n",
       Refusal::transfer_encoding_unsupported},
      {"chunked with a parameter", "Transfer-Encoding: chunked;q=1\r\n",
       Refusal::transfer_encoding_unsupported},
      {"chunked behind a vertical tab",
       "Transfer-Encoding: \x0b"
       "chunked\r\n",
       Refusal::control_character},
      {"chunked with a no-break space", "Transfer-Encoding: chunked\xa0\r\n",
       Refusal::transfer_encoding_unsupported},
      {"two transfer codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
       Refusal::transfer_encoding_repeated},
      {"unknown coding after chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
       Refusal::transfer_encoding_repeated},
      {"Connection names Content-Length", "Connection: close, Content-Length\r\n",
       Refusal::connection_nominates_framing},
      {"Connection names Transfer-Encoding", "Connection: transfer-encoding\r\n",
       Refusal::connection_nominates_framing},
      {"Connection names Host", "Connection: keep-alive\r\nConnection: ,HOST ,\r\n",
       Refusal::connection_nominates_framing},
  };
}

// Whole requests that are refused for their head.
inline std::vector<RefusedCase> request_refusals() {
  std::vector<RefusedCase> cases = {
      {"empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::leading_empty_line},
      {"only empty lines", "\r\n\r\n", Refusal::leading_empty_line},
      {"bare LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::bare_lf},
      {"bare CR first", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::bare_cr},
      {"bare LF ends the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", Refusal::bare_lf},
      {"bare LF only", "GET / HTTP/1.1\nHost: a\n\n", Refusal::bare_lf},
      {"bare LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", Refusal::bare_lf},
      {"bare CR inside a name", get_with("X\rY: z\r\n"), Refusal::bare_cr},
      {"bare CR ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\rX", Refusal::bare_cr},
      {"bare CR in the target", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::bare_cr},
      {"NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s, Refusal::nul},
      {"control character in the target", "GET /\x02 HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::control_character},
      {"TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"s, Refusal::control_character},
      {"HTTP/0.9", "GET /\r\n", Refusal::malformed_request_line},
      {"method alone", "GET\r\nHost: a\r\n\r\n", Refusal::malformed_request_line},
      {"method and a space", "GET \r\nHost: a\r\n\r\n", Refusal::malformed_request_line},
      {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::malformed_request_line},
      {"empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::empty_target},
      {"two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::malformed_request_line},
      {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::malformed_request_line},
      {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::malformed_request_line},
      {"tab in the target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::malformed_request_line},
      {"tab before the version", "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::malformed_request_line},
      {"tab after the method", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::invalid_method},
      {"space before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::invalid_method},
      {"space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
       Refusal::malformed_request_line},
      {"colon in the method", "G:T / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::invalid_method},
      {"byte above ASCII in the method", "G\xc3T / HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::invalid_method},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Refusal::connect_method},
      {"CONNECT to a path", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::connect_method},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::unsupported_version},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", Refusal::unsupported_version},
      {"HTTP/0.9 by name", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", Refusal::unsupported_version},
      {"HTTP/3.1", "GET / HTTP/3.1\r\nHost: a\r\n\r\n", Refusal::unsupported_version},
      {"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", Refusal::malformed_request_line},
      {"HTTP/01.1", "GET / HTTP/01.1\r\nHost: a\r\n\r\n", Refusal::malformed_request_line},
      {"HTTP/1,1", "GET / HTTP/1,1\r\nHost: a\r\n\r\n", Refusal::malformed_request_line},
      {"version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n",
       Refusal::malformed_request_line},
      {"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::fragment_in_target},
      {"UTF-8 in the target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::non_ascii_in_target},
      {"quote in the target", "GET /\"a\" HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::unencoded_in_target},
      {"angle bracket in the target", "GET /<a> HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::unencoded_in_target},
      {"relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::invalid_target},
      {"authority-form", "GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", Refusal::invalid_target},
      {"asterisk with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::invalid_target},
      {"query without a path", "GET ?q HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::invalid_target},
      {"absolute-form of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::invalid_target},
      {"absolute-form without a path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::invalid_target},
      {"absolute-form with only a query", "GET http://a?q=/ HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::invalid_target},
      {"absolute-form for another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::target_host_mismatch},
      {"absolute-form for another port", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::target_host_mismatch},
      {"absolute-form with userinfo", "GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n",
       Refusal::target_host_mismatch},
      {"absolute-form without a host", "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::target_host_mismatch},
      {"no Host", "GET / HTTP/1.1\r\n\r\n", Refusal::host_missing},
      {"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", Refusal::host_missing},
      {"no Host but other fields", "GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", Refusal::host_missing},
      {"chunked in HTTP/1.0",
       "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       Refusal::transfer_encoding_in_http_1_0},
      {"Host too long", "GET / HTTP/1.1\r\nHost: " + std::string(256, 'a') + "\r\n\r\n",
       Refusal::host_invalid},
      {"two Hosts", get_with("Host: b\r\n"), Refusal::host_repeated},
      {"two equal Hosts", get_with("host: a\r\n"), Refusal::host_repeated},
      {"unknown expectation", get_with("Expect: 200-ok\r\n"), Refusal::expect_unsupported},
      {"expectation and more", get_with("Expect: 100-continue, x\r\n"),
       Refusal::expect_unsupported},
      {"empty expectation", get_with("Expect:\r\n"), Refusal::expect_unsupported},
      {"two expectations", get_with("Expect: 100-continue\r\nExpect: 100-continue\r\n"),
       Refusal::expect_unsupported},
      {"Connection is no token", get_with("Connection: keep alive\r\n"),
       Refusal::connection_invalid},
      {"request line too long", "GET /" + std::string(8192, 'a'), Refusal::start_line_too_long},
      {"request line one byte too long",
       "GET /" + std::string(8192 + 1 - 14, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n",
       Refusal::start_line_too_long},
      {"head too large", get_with("X: " + std::string(32 * 1024, 'x') + "\r\n"),
       Refusal::head_too_large},
      {"head too large and never ending", "GET / HTTP/1.1\r\nX: " + std::string(32 * 1024, 'x'),
       Refusal::head_too_large},
      {"too many fields", get_with(repeated_fields(100)), Refusal::too_many_fields},
  };
  for (const std::string_view host : {"",          "a b",
                                      "a,b",       "a/b",
                                      "a@b",       "a:",
                                      "a:b",       "a:0",
                                      "a:65536",   "a:080080",
                                      "a:80:80",   ":80",
                                      "http://a",  "a?",
                                      "a%2e",      "[::1",
                                      "::1",       "[]",
                                      "[1.2.3.4]", "[::1]x",
                                      "[::1]:",    "[fe80::1%25lo]",
                                      "[v1.x]",    "b\xc3\xbc\x63her",
                                      "a\\b",      "a\tb"}) {
    cases.push_back({"Host: " + std::string(host),
                     "GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n",
                     Refusal::host_invalid});
  }
  for (const auto& lines : {field_line_refusals(), framing_refusals()}) {
    for (const auto& one : lines) cases.push_back({one.name, get_with(one.bytes), one.refusal});
  }
  return cases;
}

// Whole responses, to a GET, that are refused for their head.
inline std::vector<RefusedCase> response_refusals() {
  std::vector<RefusedCase> cases = {
      {"empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", Refusal::leading_empty_line},
      {"bare LF", "HTTP/1.1 200 OK\nX: y\n\n", Refusal::bare_lf},
      {"control character in the reason", "HTTP/1.1 200 O\x08K\r\n\r\n",
       Refusal::control_character},
      {"no status", "HTTP/1.1\r\n\r\n", Refusal::malformed_status_line},
      {"HTTP/0.9 body", "<html>hello</html>\r\n", Refusal::malformed_status_line},
      {"SHOUTcast", "ICY 200 OK and more\r\n\r\n", Refusal::malformed_status_line},
      {"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", Refusal::malformed_status_line},
      {"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", Refusal::malformed_status_line},
      {"status below 100", "HTTP/1.1 099 OK\r\n\r\n", Refusal::malformed_status_line},
      {"status with a letter", "HTTP/1.1 2x0 OK\r\n\r\n", Refusal::malformed_status_line},
      {"two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n", Refusal::malformed_status_line},
      {"tab before the status", "HTTP/1.1\t200 OK\r\n\r\n", Refusal::malformed_status_line},
      {"tab before the reason", "HTTP/1.1 200\tOK\r\n\r\n", Refusal::malformed_status_line},
      {"HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", Refusal::unsupported_version},
      {"HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", Refusal::unsupported_version},
      {"version in lower case", "http/1.1 200 OK\r\n\r\n", Refusal::malformed_status_line},
      {"switching protocols", "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
       Refusal::switching_protocols},
      {"interim with a length", "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
       Refusal::interim_with_body},
      {"interim with a body", "HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
       Refusal::interim_with_body},
      {"chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
       Refusal::transfer_encoding_in_http_1_0},
      {"status line too long", "HTTP/1.1 200 " + std::string(8192, 'a'),
       Refusal::start_line_too_long},
      {"head too large", response_with("X: " + std::string(32 * 1024, 'x') + "\r\n"),
       Refusal::head_too_large},
      {"too many fields", response_with(repeated_fields(101)), Refusal::too_many_fields},
  };
  for (const auto& lines : {field_line_refusals(), framing_refusals()}) {
    for (const auto& one : lines) {
      cases.push_back({one.name, response_with(one.bytes), one.refusal});
    }
  }
  return cases;
}

// Bodies in the chunked coding, to follow a head that announces one.
inline std::vector<RefusedCase> chunked_refusals() {
  std::vector<RefusedCase> cases = {
      {"no size", "\r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"size with a space before", " 3\r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"size with a space behind", "3 \r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"size with a tab behind", "3\t\r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"size with a prefix", "0x3\r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"size with a plus", "+3\r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"negative size", "-3\r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"size with a letter", "3g\r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"size with an underscore", "1_0\r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"size and a comma", "3,3\r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"NUL in the size", "3\0\r\nabc\r\n0\r\n\r\n"s, Refusal::nul},
      {"bare LF behind the size", "3\nabc\r\n0\r\n\r\n", Refusal::bare_lf},
      {"bare CR behind the size", "3\rabc\r\n0\r\n\r\n", Refusal::bare_cr},
      {"CR CR LF behind the size", "3\r\r\nabc\r\n0\r\n\r\n", Refusal::bare_cr},
      {"size of 2^64", "10000000000000000\r\n", Refusal::chunk_size_too_large},
      {"size of many zeros", "00000000000000003\r\nabc\r\n0\r\n\r\n",
       Refusal::chunk_size_too_large},
      {"extension behind a space", "3 ;a\r\nabc\r\n0\r\n\r\n", Refusal::chunk_size_invalid},
      {"empty extension", "3;\r\nabc\r\n0\r\n\r\n", Refusal::chunk_extension_invalid},
      {"space before an extension's name", "3; a\r\nabc\r\n", Refusal::chunk_extension_invalid},
      {"space behind an extension", "3;a \r\nabc\r\n", Refusal::chunk_extension_invalid},
      {"extension without a value", "3;a=\r\nabc\r\n", Refusal::chunk_extension_invalid},
      {"extension without a name", "3;=a\r\nabc\r\n", Refusal::chunk_extension_invalid},
      {"extension with an open quote", "3;a=\"b\r\nabc\r\n", Refusal::chunk_extension_invalid},
      {"extension with more behind a quote", "3;a=\"b\"c\r\nabc\r\n",
       Refusal::chunk_extension_invalid},
      {"extension with a byte above ASCII", "3;a=\"\xe9\"\r\nabc\r\n",
       Refusal::chunk_extension_invalid},
      {"bare LF in an extension", "3;a\nabc\r\n0\r\n\r\n", Refusal::bare_lf},
      {"bare LF in a quoted extension", "3;a=\"\n\"\r\nabc\r\n", Refusal::bare_lf},
      {"bare CR in an extension", "3;a\rb\r\nabc\r\n", Refusal::bare_cr},
      {"NUL in an extension", "3;a\0\r\nabc\r\n"s, Refusal::nul},
      {"chunk line too long", "3;" + std::string(255, 'a') + "\r\nabc\r\n0\r\n\r\n",
       Refusal::chunk_line_too_long},
      {"data longer than its size", "3\r\nabcd\r\n0\r\n\r\n", Refusal::chunk_data_overrun},
      {"no line end behind the data", "3\r\nabc0\r\n\r\n", Refusal::chunk_data_overrun},
      {"bare LF behind the data", "3\r\nabc\n0\r\n\r\n", Refusal::bare_lf},
      {"bare CR behind the data", "3\r\nabc\r0\r\n\r\n", Refusal::bare_cr},
      {"bare LF ends the last chunk", "0\n\r\n", Refusal::bare_lf},
      {"bare LF ends the body", "0\r\n\n", Refusal::bare_lf},
      {"bare CR ends the body", "0\r\n\rX", Refusal::bare_cr},
      {"bare CR in a trailer's name", "0\r\nX\rY: z\r\n\r\n", Refusal::missing_colon},
      {"trailers too large", "0\r\nX: " + std::string(4096, 'x') + "\r\n\r\n",
       Refusal::trailers_too_large},
      {"trailers one byte too large", "0\r\nX: " + std::string(4096 - 6, 'x') + "\r\n\r\n",
       Refusal::trailers_too_large},
  };
  for (const auto& one : field_line_refusals()) {
    cases.push_back(
        {"trailer: " + one.name, "3\r\nabc\r\n0\r\n" + one.bytes + "\r\n", one.refusal});
  }
  return cases;
}

// Requests without a body, or with an empty one.
inline std::vector<AcceptedCase> accepted_requests() {
  return {
      {"smallest", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n"},
      {"browser",
       "GET /v1/fetch?url=https%3A%2F%2Fexample.org%2F HTTP/1.1\r\nHost: localhost:8080\r\n"
       "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html,*/*;q=0.8\r\n"
       "Accept-Language: en\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n\r\n"},
      {"raw characters in a query", "GET /a?b={|}[0]^`\\d;%zz HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"two slashes", "GET //a HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"unknown method", "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"method in lower case", "get / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"absolute-form", "GET http://A.example:80/x?y HTTP/1.1\r\nHost: a.Example:80\r\n\r\n"},
      {"IPv4", "GET / HTTP/1.1\r\nHost: 127.0.0.1:65535\r\n\r\n"},
      {"IPv6", "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"},
      {"no space behind the colon", "GET / HTTP/1.1\r\nHost:a\r\nX:\r\n\r\n"},
      {"blanks around values", get_with("X: \t y z\t \r\nY: \t \r\n")},
      {"bytes above ASCII in a value", get_with("X: \xff\x80 caf\xc3\xa9\r\n")},
      {"every token character in a name", get_with("!#$%&'*+-.^_`|~09azAZ: y\r\n")},
      {"repeated ordinary field", get_with("Accept: a\r\naccept: b\r\n")},
      {"empty Connection elements", get_with("Connection: , close ,,\r\nConnection:\r\n")},
      {"length of nothing", get_with("Content-Length: 0\r\n")},
      {"most fields", get_with(repeated_fields(99))},
      {"longest request line",
       "GET /" + std::string(8192 - 14, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"largest head",
       get_with("X: " + std::string(32 * 1024 - get_with("X: \r\n").size(), 'x') + "\r\n")},
  };
}

}  // namespace fetchmill::support
