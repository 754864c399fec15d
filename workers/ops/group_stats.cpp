#include "workers/ops/group_stats.hpp"

#include "workers/json/json_write.hpp"

namespace fetchmill::workers::ops {
namespace {

constexpr std::pair<std::string_view, unsigned> stats_names[] = {
    {"count", count_field}, {"sum", sum_field}, {"mean", mean_field},
    {"min", min_field},     {"max", max_field}, {"stddev", stddev_field},
};

}  // namespace

unsigned stats_fields(const StringList& names) {
  unsigned fields = 0;
  for (const std::string& name : names)
    for (const auto& [known, field] : stats_names)
      if (name == known) fields |= field;
  return fields;
}

void append_aggregate(std::string& out, unsigned fields, NumberStats total, const Groups* groups,
                      std::uint64_t skipped) {
  if (groups != nullptr)
    for (const auto& [key, stats] : *groups) total.merge(stats);
  out += '{';
  total.append_members(out, fields);
  out += ",\"skipped\":";
  json::append_json_number(out, skipped);
  if (groups != nullptr) {
    out += ",\"groups\":{";
    std::string_view separator;
    for (const auto& [key, stats] : *groups) {
      out += std::exchange(separator, ",");
      json::append_json_string(out, key);
      out += ":{";
      stats.append_members(out, fields);
      out += '}';
    }
    out += '}';
  }
  out += '}';
}

}  // namespace fetchmill::workers::ops
