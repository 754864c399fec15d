#include "workers/content_coding.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace fetchmill::workers {
namespace {

constexpr std::array<std::pair<std::string_view, ContentCoding>, 6> names{{
    {"identity", ContentCoding::none},
    {"gzip", ContentCoding::gzip},
    {"x-gzip", ContentCoding::gzip},  // RFC 9110 §8.4.1.3
    {"deflate", ContentCoding::deflate},
    {"br", ContentCoding::br},
    {"zstd", ContentCoding::zstd},
}};

}  // namespace

std::string_view to_string(ContentCoding coding) {
  constexpr std::array<std::string_view, 5> texts{"identity", "gzip", "deflate", "br", "zstd"};
  return texts[static_cast<std::size_t>(coding)];
}

std::optional<ContentCoding> parse_content_coding(std::string_view field) {
  ContentCoding found = ContentCoding::none;
  while (!field.empty()) {
    const std::string_view part = field.substr(0, field.find(','));
    field.remove_prefix(std::min(part.size() + 1, field.size()));
    const std::string_view text = ascii::trimmed(part, " \t");
    if (text.empty()) continue;
    const auto name = std::find_if(names.begin(), names.end(), [&](const auto& known) {
      return ascii::equals_ignoring_case(text, known.first);
    });
    if (name == names.end()) return std::nullopt;
    if (name->second == ContentCoding::none) continue;
    if (found != ContentCoding::none) return std::nullopt;
    found = name->second;
  }
  return found;
}

}  // namespace fetchmill::workers
