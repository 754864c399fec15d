#include "server/fetch/url_percent.hpp"

namespace fetchmill::server::fetch {

void append_percent_encoded(std::string& to, std::string_view text, const ByteSet& set) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  for (;;) {
    const std::size_t plain = set.first_in(text);
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
