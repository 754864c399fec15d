// identity: the bytes as they are.
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

class IdentityStep final : public Step {
 public:
  config::Result<void> run(const Input& input, Output& output) override {
    output.use_input(input.bytes);
    output.media_type = input.media_type;
    return {};
  }
};

constexpr std::string_view input_types[] = {"*/*"};

}  // namespace

extern const Op identity_op;
const Op identity_op{
    .name = "identity",
    .summary = "The bytes as they are.",
    .input = input_types,
    .output = "*/*",
    .compile = compile_plain<IdentityStep>,
};

}  // namespace fetchmill::workers::ops
