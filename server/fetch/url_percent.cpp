#include "server/fetch/url_percent.hpp"

#include <algorithm>

namespace fetchmill::server::fetch {

void append_percent_encoded(std::string& to, std::string_view text, const PercentEncodeSet& set) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  for (;;) {
    const auto first = std::ranges::find_if(text, [&set](char c) { return set.has(c); });
    const auto plain = static_cast<std::size_t>(first - text.begin());
    to += text.substr(0, plain);
    if (plain == text.size()) return;
    const auto byte = static_cast<unsigned char>(text[plain]);
    to += '%';
    to += hex[byte >> 4];
    to += hex[byte & 15];
    text.remove_prefix(plain + 1);
  }
}

}  // namespace fetchmill::server::fetch
