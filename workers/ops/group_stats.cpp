#include "workers/ops/group_stats.hpp"

#include "workers/json/json_write.hpp"

#include <charconv>

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
  quantiles = std::get<StringList>(*asked);
  fields |= quantiles_field;
}

config::Result<void> append_aggregate(std::string& out, const Figures& figures, NumberStats total,
                                      const Groups* groups, std::uint64_t skipped) {
  if (figures.kept > kept_numbers_max)
    return config::Error(config::ErrorCode::processing_failed,
                         "quantiles are exact and take 4,000,000 numbers at most");
  if (groups != nullptr)
    for (const auto& [key, stats] : *groups) total.merge(stats);
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
