// Texts behind one another at the end of a string.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fetchmill::config {

namespace detail {

inline std::string_view text_of(std::string_view text) {
  return text;
}
// The size of a literal is known where it is copied, which takes no call then.
template <std::size_t size>
constexpr std::string_view text_of(const char (&literal)[size]) {
  return {literal, size - 1};
}

}  // namespace detail

// Room is made once for all of them: heads are made of dozens. Each part is a literal or becomes a
// std::string_view; none is of `to` itself.
template <class... Parts>
void append(std::string& to, const Parts&... parts) {
  const std::size_t size = to.size();
  to.append((detail::text_of(parts).size() + ...), '\0');
  char* place = to.data() + size;
  const auto put = [&place](std::string_view text) {
    std::string::traits_type::copy(place, text.data(), text.size());
    place += text.size();
  };
  (put(detail::text_of(parts)), ...);
}

}  // namespace fetchmill::config
