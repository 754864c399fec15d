// links: fetchmill_child
// Any bytes as a coded body: no fault, nothing beyond the bounds, zeros behind the result, and the
// same outcome whatever was decoded before.
//
// An input is a digit for the coding (0 gzip, 1 deflate, 2 br, 3 zstd), one for the limit (8 to its
// power), and the body.
#include "tests/support/fuzz_check.hpp"
#include "workers/content_decoder.hpp"
#include "workers/layout.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

using namespace fetchmill::workers;
using fetchmill::config::ErrorCode;
using fetchmill::support::check;

namespace {

constexpr std::array codings{ContentCoding::gzip, ContentCoding::deflate, ContentCoding::br,
                             ContentCoding::zstd};

std::string outcome(ContentDecoder& decoder, const BodyCoding& how, std::string_view coded) {
  const auto decoded = decoder.decode(how, coded);
  if (!decoded) {
    const ErrorCode code = decoded.error().code;
    check(code == ErrorCode::upstream_protocol || code == ErrorCode::upstream_body_too_large,
          "a failure is one that judge() lets pass");
    return "!" + decoded.error().detail;
  }
  check(decoded->size() <= how.decoded_bytes_max, "the limit holds");
  check(expansion_allowed(decoded->size(), coded.size()), "the ratio holds");
  const char* const end = decoded->data() + decoded->size();
  check(std::all_of(end, end + body_padding_bytes, [](char c) { return c == 0; }), "zeros follow");
  return "=" + std::string(*decoded);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ContentDecoder used;
  if (size < 2) return 0;
  const BodyCoding how{codings[data[0] % codings.size()], std::uint64_t{1} << 3U * (data[1] % 10U)};
  // A copy that ends where the body does, so that reading beyond it is seen.
  const std::string coded(reinterpret_cast<const char*>(data) + 2, size - 2);
  ContentDecoder fresh;
  check(outcome(fresh, how, coded) == outcome(used, how, coded), "each body starts afresh");
  return 0;
}
