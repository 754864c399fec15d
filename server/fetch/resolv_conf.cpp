#include "server/fetch/resolv_conf.hpp"

#include "server/fetch/system_file.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace fetchmill::server::fetch {
namespace {

// The most that resolv.conf(5) lets its reader believe.
constexpr unsigned ndots_max = 15;
constexpr unsigned timeout_seconds_max = 30;
constexpr unsigned attempts_max = 5;

// "timeout:3" as 3 for the name "timeout", at most `max`.
std::optional<unsigned> option(std::string_view word, std::string_view name, unsigned max) {
  if (!word.starts_with(name) || word.substr(name.size(), 1) != ":") return std::nullopt;
  const std::string_view digits = word.substr(name.size() + 1);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range) return max;
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return std::min(value, max);
}

void apply(std::string_view word, ResolvConf& conf) {
  if (const auto value = option(word, "ndots", ndots_max)) conf.ndots = *value;
  if (const auto value = option(word, "timeout", timeout_seconds_max))
    conf.timeout = std::chrono::seconds(*value);
  if (const auto value = option(word, "attempts", attempts_max))
    conf.attempts = static_cast<int>(*value);
}

}  // namespace

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  while (!text.empty()) {
    std::string_view line = next_line(text);
    if (line.starts_with('#') || line.starts_with(';')) continue;
    const std::string_view keyword = next_word(line);
    const bool lists_domains = keyword == "search" || keyword == "domain";
    if (lists_domains) conf.search.clear();
    for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
      if (keyword == "options") apply(word, conf);
      if (lists_domains && word != ".") conf.search.emplace_back(word);
    }
  }
  return conf;
}

std::vector<std::string> names_to_ask(std::string_view name, const ResolvConf& conf) {
  const std::string_view without_dot = name.substr(0, name.size() - name.ends_with('.'));
  if (without_dot == "onion" || without_dot.ends_with(".onion")) return {};
  if (name.ends_with('.')) return {std::string(name)};
  std::vector<std::string> names;
  for (const std::string& domain : conf.search) names.push_back(std::string(name) + '.' + domain);
  const auto dots = static_cast<std::size_t>(std::count(name.begin(), name.end(), '.'));
  names.emplace(dots >= conf.ndots ? names.begin() : names.end(), name);
  return names;
}

}  // namespace fetchmill::server::fetch
