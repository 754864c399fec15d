// Deterministic bodies: the same parameters give the same bytes in every run, so results compare.
#pragma once

#include "tests/support/origin/script.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fetchmill::tests::origin {

// Printable text of `count` bytes: "0123456789abcdef…" in lines of 64.
Bytes plain_bytes(std::uint64_t count);

// `records` objects {id,name,score,lang,active,tags,geo}. Scores are multiples of 0.25, so that
// sums are exact in any order.
Bytes json_array(std::uint64_t records);
Bytes ndjson_lines(std::uint64_t records);

// `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace fetchmill::tests::origin
