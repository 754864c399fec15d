#include "workers/ops/registry.hpp"

#include "config/suggest.hpp"

#include <algorithm>
#include <array>

namespace fetchmill::workers::ops {

#define OP(name) extern const Op name##_op;
#include "workers/ops/ops.def"
#undef OP

namespace {

using config::Error;
using config::ErrorCode;

constexpr std::array table{
#define OP(name) &name##_op,
#include "workers/ops/ops.def"
#undef OP
};

struct Settled {
  Registry registry;
  std::vector<const Op*> known{table.begin(), table.end()};  // switched off or not
  bool is_final = false;
};

Settled& settled() {
  static Settled instance{.registry = make_registry(table, {})};
  return instance;
}

// `pattern` is a name or FAMILY.*.
bool stands_for(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with(".*")) return pattern == name;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool any_stands_for(std::span<const std::string> patterns, std::string_view name) {
  return std::ranges::any_of(patterns,
                             [&](const std::string& pattern) { return stands_for(pattern, name); });
}

void judge(std::span<const std::string> patterns, std::string_view field,
           std::span<const Op* const> known, std::vector<Error>& mistakes) {
  std::vector<std::string_view> names;
  for (const Op* op : known) names.push_back(op->name);
  for (const std::string& pattern : patterns) {
    if (std::ranges::any_of(names,
                            [&](std::string_view name) { return stands_for(pattern, name); }))
      continue;
    mistakes.emplace_back(ErrorCode::unknown_op,
                          "ops that `fetchmill ops` lists, and '" + pattern + "' is none" +
                              (pattern.ends_with(".*") ? "" : config::did_you_mean(pattern, names)),
                          std::string(field));
  }
}

const Op* find_in(std::span<const Op* const> ops, std::string_view name) {
  for (const Op* op : ops)
    if (op->name == name) return op;
  return nullptr;
}

}  // namespace

std::span<const Op* const> all_ops() {
  return settled().registry.ops;
}

const Op* find_op(std::string_view name) {
  return find_in(all_ops(), name);
}

bool is_switched_off(std::string_view name) {
  return find_in(settled().registry.switched_off, name) != nullptr;
}

Registry make_registry(std::span<const Op* const> known, const OpChoice& choice) {
  Registry registry;
  for (const Op* op : known) {
    const bool wanted = choice.enabled.empty() || any_stands_for(choice.enabled, op->name);
    const bool is_there = wanted && !any_stands_for(choice.disabled, op->name);
    (is_there ? registry.ops : registry.switched_off).push_back(op);
  }
  return registry;
}

void add_op(const Op& op) {
  settled().known.push_back(&op);
  settled().registry.ops.push_back(&op);
}

std::vector<Error> choose_ops(const OpChoice& choice) {
  Settled& now = settled();
  if (!now.is_final) {
    now.registry = make_registry(now.known, choice);
    now.is_final = true;
  }
  std::vector<Error> mistakes;
  judge(choice.enabled, "ops.enabled", now.known, mistakes);
  judge(choice.disabled, "ops.disabled", now.known, mistakes);
  return mistakes;
}

}  // namespace fetchmill::workers::ops
