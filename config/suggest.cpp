#include "config/suggest.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <vector>

namespace fetchmill::config {
namespace {

// Names longer than this are nobody's typing error, and the work stays bounded.
constexpr std::size_t name_bytes_max = 100;

// Levenshtein's distance, a row at a time, but two neighbours that changed places count once
// (optimal string alignment).
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  std::vector<std::size_t> above(row.size());
  std::vector<std::size_t> two_above(row.size());
  for (std::size_t i = 1; i <= left.size(); ++i) {
    two_above.swap(above);
    above.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t substituted = above[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
      row[j] = std::min({substituted, row[j - 1] + 1, above[j] + 1});
      if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
        row[j] = std::min(row[j], two_above[j - 2] + 1);
    }
  }
  return row.back();
}

// In some order: sha265 may be meant to be sha256, but sha512 not to be sha1.
bool have_same_digits(std::string_view left, std::string_view right) {
  const auto digits = [](std::string_view text) {
    std::array<std::size_t, 10> counts{};
    for (const char c : text)
      if (ascii::is_digit(c)) ++counts[static_cast<std::size_t>(c - '0')];
    return counts;
  };
  return digits(left) == digits(right);
}

}  // namespace

std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates) {
  if (name.empty() || name.size() > name_bytes_max) return {};
  // A third of the name wrong is still recognisable; more, or all of it, is another name.
  std::size_t best_distance = std::min(std::max<std::size_t>(1, name.size() / 3) + 1, name.size());
  std::string_view best;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance >= best_distance || !have_same_digits(name, candidate)) continue;
    best_distance = distance;
    best = candidate;
  }
  if (!best.empty()) return best;
  name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
  const std::string tail = '.' + std::string(name);
  for (const std::string_view candidate : candidates)
    if (candidate.ends_with(tail)) return candidate;
  return {};
}

std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates) {
  const std::string_view near = nearest(name, candidates);
  return near.empty() ? std::string() : "; did you mean " + std::string(near) + '?';
}

std::vector<std::string_view> views(std::span<const std::string> names) {
  return {names.begin(), names.end()};
}

}  // namespace fetchmill::config
