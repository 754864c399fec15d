#include "server/fetch/url_percent.hpp"

#include "config/ascii.hpp"

namespace fetchmill::server::fetch {

void append_percent_encoded(std::string& to, std::string_view text, const PercentEncodeSet& set) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  for (const char c : text) {
    if (!set.has(c)) {
      to += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    to += '%';
    to += hex[byte >> 4];
    to += hex[byte & 15];
  }
}

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = ascii::hex_value(text[i + 1]);
      const int low = ascii::hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high << 4 | low);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

}  // namespace fetchmill::server::fetch
