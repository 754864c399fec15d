#include "server/fetch/url_percent.hpp"

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

}  // namespace fetchmill::server::fetch
