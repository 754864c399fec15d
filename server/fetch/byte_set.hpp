// A set of bytes, asked by one table look-up. Not find_first_of: that calls memchr for every
// character of a text.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace fetchmill::server::fetch {

class ByteSet {
 public:
  constexpr explicit ByteSet(std::string_view bytes) {
    for (const char c : bytes) has_[static_cast<unsigned char>(c)] = true;
  }
  constexpr ByteSet& add(unsigned char first, unsigned char last) {
    for (unsigned byte = first; byte <= last; ++byte) has_[byte] = true;
    return *this;
  }

  [[nodiscard]] constexpr bool has(char c) const { return has_[static_cast<unsigned char>(c)]; }
  // Where the first of them stands in `text`, or its end.
  [[nodiscard]] constexpr std::size_t first_in(std::string_view text) const {
    const auto is_one = [this](char c) { return has(c); };
    return static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_one) - text.begin());
  }

 private:
  std::array<bool, 256> has_{};
};

}  // namespace fetchmill::server::fetch
