// Keeps reused simdjson parsers from holding on to the memory of the largest text they ever saw: a
// parser needs several bytes per byte of text, and a worker keeps one per compiled step.
#pragma once

#include <cstddef>

namespace fetchmill::workers::json {

// Texts up to this size find the parser's buffers allocated; larger ones pay for them each time.
inline constexpr std::size_t parser_kept_bytes_max = 4 * 1024 * 1024;

template <class Parser>
void release_if_large(Parser& parser) {
  if (parser.capacity() > parser_kept_bytes_max) parser = Parser();
}

}  // namespace fetchmill::workers::json
