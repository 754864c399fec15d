// The forms that string settings take: how to recognise each and what to tell who got it wrong.
//
// Requires: nothing of the machine; whether a file exists or an address is ours is seen at start.
#pragma once

#include <cstdint>
#include <string_view>

namespace fetchmill::config {

enum class Form : std::uint8_t {
  listen_address,          // IP:PORT, an IPv6 address in brackets
  listen_address_or_none,  // the same, or empty
  path,                    // of a file
  network,                 // ADDRESS/PREFIX
  port,                    // 1 to 65535
  host,                    // of a Host header, without a port
  origin,                  // as browsers send it in Origin
  name_server,             // IP or IP:PORT, an IPv6 address in brackets
  scheme,                  // http or https
  host_pattern,            // a host, *.NAME or .NAME
  origin_pattern,          // scheme, host pattern, port
  proxy,                   // a URL of scheme, optional credentials, host and port; or empty
  line,                    // text of one line
  steps,                   // a JSON array
  method,                  // of an upstream request
  header_name,             // of a header field
  header_value,            // of a header field
  op_pattern,              // the name of an op, or FAMILY.*
};

bool matches(Form form, std::string_view text);

// Completes "expected …".
std::string_view expected(Form form);

// What stands for the value in help and docs: "IP:PORT".
std::string_view placeholder(Form form);

}  // namespace fetchmill::config
