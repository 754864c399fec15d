// Content codings (RFC 9110 §8.4.1): their names, and what a body's slot says about its own.
//
// Process: both. The loop reads the names, a worker undoes the coding (content_decoder.hpp).
// Trust: names come from upstreams and clients.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fetchmill::workers {

enum class ContentCoding : std::uint32_t { none, gzip, deflate, br, zstd };

// Their names, as Accept-Encoding wants them.
inline constexpr std::string_view content_codings = "gzip, deflate, br, zstd";

std::string_view to_string(ContentCoding coding);

// What a Content-Encoding says, all fields of a message joined by commas. Nothing for a coding that
// is not undone, and for more than one: what several layers would save nobody misses, and each
// multiplies what a small body can become.
std::optional<ContentCoding> parse_content_coding(std::string_view field);

// How a body is to become the bytes that the pipeline sees.
struct BodyCoding {
  ContentCoding coding = ContentCoding::none;
  std::uint64_t decoded_bytes_max = 0;
};

}  // namespace fetchmill::workers
