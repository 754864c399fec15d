// The table of ops. To add one, see README.md.
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

}  // namespace fetchmill::workers::ops
