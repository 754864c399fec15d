#include "handlers/accept.hpp"

#include <algorithm>
#include <cstddef>

namespace fetchmill::handlers {
namespace {

constexpr unsigned quality_max = 1000;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

// Takes what stands before the next `separator` off `text`, without white space around it.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!part.empty() && is_space(part.front())) part.remove_prefix(1);
  while (!part.empty() && is_space(part.back())) part.remove_suffix(1);
  return part;
}

// "0.5" → 500.
unsigned weight(std::string_view text) {
  if (!text.starts_with('0')) return quality_max;
  unsigned value = 0;
  unsigned unit = 100;
  for (std::size_t i = 2; i < text.size() && unit > 0; ++i, unit /= 10) {
    if (text[i] < '0' || text[i] > '9') return quality_max;
    value += static_cast<unsigned>(text[i] - '0') * unit;
  }
  return value;
}

// 0: the range does not cover the type; more is more specific.
int specificity(std::string_view range, std::string_view media_type) {
  if (equal(range, media_type)) return 3;
  if (range.ends_with("/*") &&
      equal(range.substr(0, range.size() - 1), media_type.substr(0, media_type.find('/') + 1)))
    return 2;
  return range == "*/*" ? 1 : 0;
}

}  // namespace

unsigned quality(std::string_view accept, std::string_view media_type) {
  if (accept.empty()) return quality_max;
  int best = 0;
  unsigned wanted = 0;
  while (!accept.empty()) {
    std::string_view parameters = take(accept, ',');
    const int found = specificity(take(parameters, ';'), media_type);
    if (found <= best) continue;
    best = found;
    wanted = quality_max;
    while (!parameters.empty()) {
      const std::string_view parameter = take(parameters, ';');
      if (parameter.starts_with("q=") || parameter.starts_with("Q="))
        wanted = weight(parameter.substr(2));
    }
  }
  return wanted;
}

}  // namespace fetchmill::handlers
