// identity: the bytes as they are; or as they came, before their content coding was undone.
//
// `decode` is for the loop (wants_original): with false it asks for no decoding, so the input is
// what came.
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

constexpr ParamSpec params[] = {
    {.name = "decode",
     .types = boolean_type,
     .default_json = "true",
     .description = "false: the original, with the content coding that the body came in. Only as "
                    "the first step."},
};

constexpr Example examples[] = {
    {.input = "any bytes", .output = "any bytes", .media_type = "text/plain"},
};
constexpr std::string_view input_types[] = {"*/*"};

}  // namespace

extern const Op identity_op;
const Op identity_op{
    .name = "identity",
    .summary = "The bytes as they are.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "*/*",
    .compile = compile_plain<IdentityStep>,
};

}  // namespace fetchmill::workers::ops
