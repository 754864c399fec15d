#include "workers/ops/registry.hpp"

#include <vector>

namespace fetchmill::workers::ops {

#define OP(name) extern const Op name##_op;
#include "workers/ops/ops.def"
#undef OP

namespace {

std::vector<const Op*>& ops() {
  static std::vector<const Op*> list{
#define OP(name) &name##_op,
#include "workers/ops/ops.def"
#undef OP
  };
  return list;
}

}  // namespace

std::span<const Op* const> all_ops() {
  return ops();
}

const Op* find_op(std::string_view name) {
  for (const Op* op : ops())
    if (op->name == name) return op;
  return nullptr;
}

void add_op(const Op& op) {
  ops().push_back(&op);
}

}  // namespace fetchmill::workers::ops
