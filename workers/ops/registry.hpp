// The table of ops, and those made at start-up behind it. To add one, see README.md.
//
// Process: all. Lifetime: the ops live as long as the process.
#pragma once

#include "workers/ops/op.hpp"

#include <span>
#include <string_view>

namespace fetchmill::workers::ops {

std::span<const Op* const> all_ops();
// Null when no op has this name.
const Op* find_op(std::string_view name);

// Behind the others. Requires: the name is new, and nothing but the start of the process has begun:
// no other process, thread or document knows the list yet.
void add_op(const Op& op);

}  // namespace fetchmill::workers::ops
