// Which ops there are: those of ops.def and those made at start-up, without those that the operator
// switched off. To add one, see README.md.
//
// Process: all. Lifetime: the ops live as long as the process. Until choose_ops() there is all of
//   ops.def; from then on nothing changes, so that any thread and every forked process may read.
#pragma once

#include "config/error.hpp"
#include "workers/ops/op.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::workers::ops {

std::span<const Op* const> all_ops();
// Null when no op has this name.
const Op* find_op(std::string_view name);
// Whether there would be an op of this name, had the operator not switched it off.
bool is_switched_off(std::string_view name);

// What the operator says, in names of ops or FAMILY.* for all of a family.
struct OpChoice {
  std::span<const std::string> enabled;  // empty: all
  std::span<const std::string> disabled;
};

// Adds an op made at start-up behind those of ops.def. Requires: the name is new, and choose_ops()
// was not called yet.
void add_op(const Op& op);

// Settles which ops there are: the first call holds, later ones (a reload) only judge the names.
// Requires: the first call comes before any thread or fork.
// Errors: one for each name that stands for no op; `field` is the setting's name, `detail`
//   completes "expected …".
std::vector<config::Error> choose_ops(const OpChoice& choice);

// The same as a value.
struct Registry {
  std::vector<const Op*> ops;
  std::vector<const Op*> switched_off;
};
Registry make_registry(std::span<const Op* const> known, const OpChoice& choice);

}  // namespace fetchmill::workers::ops
