// Undoes a body's content coding, before its pipeline sees it.
//
// Owner: the worker, one for its life. Process: worker.
// Bytes: never more memory than what was produced, doubled, and the coding's own window; what a
//   body declares about its size counts for nothing.
// Errors: upstream_body_too_large: more than the limit, or a bomb by the ratio below;
//   upstream_protocol: what is not exactly one complete body in that coding. std::bad_alloc.
// Trust: the body comes from the internet.
#pragma once

#include "config/error.hpp"
#include "workers/content_coding.hpp"
#include "workers/page_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fetchmill::workers {

// A body that is still small when decoded may be as repetitive as it likes. Beyond that, text and
// markup come to 3 to 20 bytes for one, extremely repetitive records to about 100; deflate can at
// most make 1032, the others hundreds of thousands. So many bombs at once cost each worker this
// much memory and a few milliseconds, not the largest body that is allowed.
inline constexpr std::uint64_t expansion_free_bytes = std::uint64_t{4} << 20U;
inline constexpr std::uint64_t expansion_ratio_max = 200;

// Whether a body may go on that made so much out of so much of itself.
constexpr bool expansion_allowed(std::uint64_t produced, std::uint64_t consumed) {
  return produced <= expansion_free_bytes || produced / expansion_ratio_max <= consumed;
}

class ContentDecoder {
 public:
  // What `coded` stands for, followed by body_padding_bytes zeros; valid until the next call.
  // No bytes at all are an empty body in every coding: so servers answer HEAD and 304.
  // Requires: a coding other than none.
  config::Result<std::string_view> decode(const BodyCoding& how, std::string_view coded);

 private:
  config::Result<std::size_t> decode_into_buffer(const BodyCoding& how, std::string_view coded);

  PageBuffer buffer_;
};

}  // namespace fetchmill::workers
