// One request as the origin saw it, and the parser that takes it off a connection's buffer.
//
// The parser is lenient on purpose: the origin records what arrives, the tests judge it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fetchmill::tests::origin {

struct Request {
  std::string method;
  std::string target;  // as on the wire
  std::string path;    // without the query, not decoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::pair<std::string, std::string>> query;  // percent-decoded
  std::string body;
  bool keep_alive = true;

  // The first field of that name without regard to case; empty when there is none.
  std::string_view header(std::string_view name) const;
  std::string_view parameter(std::string_view name, std::string_view otherwise = {}) const;
  std::uint64_t number(std::string_view name, std::uint64_t otherwise) const;
};

enum class ParseStatus { complete, incomplete, invalid };

// Takes one whole request off the front of `buffer`; leaves `buffer` alone unless complete.
ParseStatus take_request(std::string& buffer, Request& request);

}  // namespace fetchmill::tests::origin
