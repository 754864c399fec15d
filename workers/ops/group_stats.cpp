#include "workers/ops/group_stats.hpp"

#include "config/printable.hpp"
#include "workers/json/json_write.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace fetchmill::workers::ops {
namespace {

constexpr std::pair<std::string_view, unsigned> stats_names[] = {
    {"count", count_field}, {"sum", sum_field}, {"mean", mean_field},
    {"min", min_field},     {"max", max_field}, {"stddev", stddev_field},
};

unsigned stats_fields(const StringList& names) {
  unsigned fields = 0;
  for (const std::string& name : names)
    for (const auto& [known, field] : stats_names)
      if (name == known) fields |= field;
  return fields;
}

constexpr std::size_t integer_digits_max = 38;  // 10^38 is below 2^127

// Nothing when it has too many digits.
std::optional<Int128> parse_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
  if (text.size() > integer_digits_max) return std::nullopt;
  Int128 number = 0;
  for (const char digit : text) number = number * 10 + (digit - '0');
  return negative ? -number : number;
}

// An integer is never rounded without a word.
config::Result<void> check_exact(const Figures& figures, const NumberStats& total,
                                 const Groups* groups) {
  if ((figures.fields & ~unsigned{count_field}) != 0 && !figures.too_long.empty())
    return config::Error(
        config::ErrorCode::processing_failed,
        "integers of more than " + std::to_string(integer_digits_max) +
            " digits cannot be added exactly: " + config::printable(figures.too_long, 60) +
            "; written with an exponent, such as e0, it is taken as a double");
  if ((figures.fields & (sum_field | mean_field)) == 0) return {};
  bool overflows = total.overflows();
  if (groups != nullptr)
    for (const auto& [key, stats] : *groups) overflows = overflows || stats.overflows();
  if (!overflows) return {};
  return config::Error(config::ErrorCode::processing_failed,
                       "the integers add up to more than 128 bits, so not exactly; written with an "
                       "exponent, such as e0, they are taken as doubles");
}

}  // namespace

std::string quantile_fault(std::string_view text) {
  double p = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), p);
  const bool good = error == std::errc() && end == text.data() + text.size() && p >= 0 && p <= 1;
  return good ? "" : "is not a number from 0 to 1";
}

Figures::Figures(const Params& given, bool has_value)
    : fields(has_value ? stats_fields(given.get<StringList>("stats")) : unsigned{count_field}) {
  const ParamValue* asked = given.find("quantiles");
  if (asked == nullptr || !has_value) return;
  // Each is a member of the result, so once, as in the other lists.
  for (const std::string& quantile : std::get<StringList>(*asked))
    if (std::ranges::find(quantiles, quantile) == quantiles.end()) quantiles.push_back(quantile);
  fields |= quantiles_field;
}

void add_long_integer(NumberStats& stats, Figures& figures, std::string_view digits) {
  if (const auto number = parse_integer(digits)) return add_number(stats, figures, *number);
  stats.add_item();
  if (figures.too_long.empty()) figures.too_long = digits;
}

config::Result<void> append_aggregate(std::string& out, const Figures& figures, NumberStats total,
                                      const Groups* groups, std::uint64_t skipped) {
  if (figures.kept > kept_numbers_max)
    return config::Error(config::ErrorCode::processing_failed,
                         "quantiles are exact and take 4,000,000 numbers at most");
  if (groups != nullptr)
    for (const auto& [key, stats] : *groups) total.merge(stats);
  if (auto exact = check_exact(figures, total, groups); !exact) return exact;
  out += '{';
  total.append_members(out, figures.fields, figures.quantiles);
  out += ",\"skipped\":";
  json::append_json_number(out, skipped);
  if (groups != nullptr) {
    out += ",\"groups\":{";
    std::string_view separator;
    for (const auto& [key, stats] : *groups) {
      out += std::exchange(separator, ",");
      json::append_json_string(out, key);
      out += ":{";
      stats.append_members(out, figures.fields, figures.quantiles);
      out += '}';
    }
    out += '}';
  }
  out += '}';
  return {};
}

}  // namespace fetchmill::workers::ops
