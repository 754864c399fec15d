// Percent-encoding by the WHATWG URL Standard: the sets of what must be encoded, and the encoding.
// config/percent undoes it.
#pragma once

#include "server/fetch/byte_set.hpp"

#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

// Everything outside printable ASCII is in each of the sets.
constexpr ByteSet percent_encode_set(std::string_view printable) {
  return ByteSet(printable).add(0x00, 0x1f).add(0x7f, 0xff);
}

inline constexpr ByteSet fragment_set = percent_encode_set(" \"<>`");
inline constexpr ByteSet special_query_set = percent_encode_set(" \"#<>'");
inline constexpr ByteSet path_set = percent_encode_set(" \"#<>?^`{}");
inline constexpr ByteSet userinfo_set = percent_encode_set(" \"#<>?^`{}/:;=@[\\]|");

void append_percent_encoded(std::string& to, std::string_view text, const ByteSet& set);

}  // namespace fetchmill::server::fetch
