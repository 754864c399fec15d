// cpu.loop: `result += i * len(input)` for i from 0, really iterated; unsigned 64-bit, wrapping.
//
// The reference CPU-bound task, for benchmarks and fault tests.
#include "workers/ops/op.hpp"

#include "workers/json/json_write.hpp"

namespace fetchmill::workers::ops {
namespace {

class LoopStep final : public Step {
 public:
  explicit LoopStep(std::uint64_t iterations) : iterations_(iterations) {}

  config::Result<void> run(const Input& input, Output& output) override {
    const std::uint64_t size = input.bytes.size();
    std::uint64_t result = 0;
    for (std::uint64_t i = 0; i < iterations_; ++i) {
      result += i * size;
      // Without this the compiler computes the sum in closed form.
      asm volatile("" : "+r"(result));
    }
    json::append_json_unsigned(output.bytes, result);
    return {};
  }

 private:
  std::uint64_t iterations_;
};

constexpr ParamSpec params[] = {
    {.name = "iterations",
     .types = integer_type,
     .required = true,
     .min = 0,
     .max = 1e12,
     .description = "How often to add; a processor core does about a billion a second. The sum has "
                    "64 bits, and what is beyond them is dropped."},
};
constexpr Example examples[] = {
    {.params = R"({"iterations":4})", .input = "abc", .output = "18"},
};
constexpr std::string_view input_types[] = {"*/*"};

}  // namespace

extern const Op cpu_loop_op;
const Op cpu_loop_op{
    .name = "cpu.loop",
    .summary = "Burns CPU: adds i * input size, `iterations` times.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .compile = [](const Op&, const Params& given) -> config::Result<std::unique_ptr<Step>> {
      return std::make_unique<LoopStep>(
          static_cast<std::uint64_t>(given.get<std::int64_t>("iterations")));
    },
};

}  // namespace fetchmill::workers::ops
