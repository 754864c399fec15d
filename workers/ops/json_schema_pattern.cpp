#include "workers/ops/json_schema_pattern.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include <re2/re2.h>

namespace fetchmill::workers::ops {
namespace {

constexpr std::int64_t memory_bytes_max = 1024 * 1024;

// ECMA-262 writes characters as \uXXXX, which RE2 does not know.
std::string as_re2(std::string_view pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '\\' || i + 1 == pattern.size()) {
      out += pattern[i];
      continue;
    }
    const std::string_view digits = pattern.substr(std::min(i + 2, pattern.size()), 4);
    if (pattern[i + 1] == 'u' && digits.size() == 4 &&
        std::ranges::all_of(digits, ascii::is_hex_digit)) {
      out += "\\x{" + std::string(digits) + "}";
      i += 5;
    } else {
      out += pattern.substr(i++, 2);
    }
  }
  return out;
}

}  // namespace

std::shared_ptr<const re2::RE2> compile_schema_pattern(std::string_view pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(memory_bytes_max);
  return std::make_shared<const re2::RE2>(as_re2(pattern), options);
}

}  // namespace fetchmill::workers::ops
