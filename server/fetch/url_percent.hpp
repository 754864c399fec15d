// Percent-encoding by the WHATWG URL Standard: the sets of what must be encoded, and the encoding.
// config/percent undoes it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

// A set of bytes; everything outside printable ASCII is always in it.
class PercentEncodeSet {
 public:
  constexpr explicit PercentEncodeSet(std::string_view printable) {
    for (unsigned byte = 0; byte < encoded_.size(); ++byte)
      encoded_[byte] = byte < 0x20 || byte > 0x7e;
    for (const char c : printable) encoded_[static_cast<unsigned char>(c)] = true;
  }
  [[nodiscard]] constexpr bool has(char c) const { return encoded_[static_cast<unsigned char>(c)]; }

 private:
  std::array<bool, 256> encoded_{};
};

inline constexpr PercentEncodeSet fragment_set{" \"<>`"};
inline constexpr PercentEncodeSet special_query_set{" \"#<>'"};
inline constexpr PercentEncodeSet path_set{" \"#<>?^`{}"};
inline constexpr PercentEncodeSet userinfo_set{" \"#<>?^`{}/:;=@[\\]|"};

void append_percent_encoded(std::string& to, std::string_view text, const PercentEncodeSet& set);

}  // namespace fetchmill::server::fetch
