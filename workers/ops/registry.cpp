#include "workers/ops/registry.hpp"

#include <array>

namespace fetchmill::workers::ops {

#define OP(name) extern const Op name##_op;
#include "workers/ops/ops.def"
#undef OP

namespace {

constexpr std::array ops{
#define OP(name) &name##_op,
#include "workers/ops/ops.def"
#undef OP
};

}  // namespace

std::span<const Op* const> all_ops() {
  return ops;
}

const Op* find_op(std::string_view name) {
  for (const Op* op : ops)
    if (op->name == name) return op;
  return nullptr;
}

}  // namespace fetchmill::workers::ops
