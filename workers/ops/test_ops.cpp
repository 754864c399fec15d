// crash, spin_forever, echo: what the tests need a worker to do. A release build does not contain
// this file.
#include "workers/ops/op.hpp"

#include <csignal>
#include <cstdlib>

#include <unistd.h>

namespace fetchmill::workers::ops {
namespace {

using config::Result;

class CrashStep final : public Step {
 public:
  explicit CrashStep(std::string how) : how_(std::move(how)) {}

  Result<void> run(const Input&, Output&) override {
    if (how_ == "exit") _exit(3);
    // A sanitizer's own handlers would turn these into an exit.
    const int number = how_ == "segv" ? SIGSEGV : SIGABRT;
    std::signal(number, SIG_DFL);
    std::raise(number);
    std::abort();
  }

 private:
  std::string how_;
};

class SpinStep final : public Step {
 public:
  Result<void> run(const Input&, Output&) override {
    for (;;) asm volatile("");
  }
};

class EchoStep final : public Step {
 public:
  explicit EchoStep(const ParamValue* text) {
    if (text != nullptr) text_ = std::get<std::string>(*text);
    echoes_input_ = text == nullptr;
  }

  Result<void> run(const Input& input, Output& output) override {
    if (echoes_input_) {
      output.use_input(input.bytes);
      output.media_type = input.media_type;
    } else {
      output.bytes = text_;
    }
    return {};
  }

 private:
  std::string text_;
  bool echoes_input_ = false;
};

constexpr std::string_view crash_ways[] = {"segv", "abort", "exit"};
constexpr ParamSpec crash_params[] = {
    {.name = "how", .default_json = "\"segv\"", .values = crash_ways, .description = "How to die."},
};
constexpr ParamSpec echo_params[] = {
    {.name = "text", .description = "What to answer; without it, the input."},
};
constexpr std::string_view input_types[] = {"*/*"};

}  // namespace

extern const Op crash_op;
const Op crash_op{
    .name = "crash",
    .summary = "Ends the worker process.",
    .params = crash_params,
    .input = input_types,
    .output = "text/plain",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<CrashStep>(given.get<std::string>("how"));
    },
};

extern const Op spin_forever_op;
const Op spin_forever_op{
    .name = "spin_forever",
    .summary = "Never ends.",
    .input = input_types,
    .output = "text/plain",
    .compile = [](const Op&, const Params&) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<SpinStep>();
    },
};

extern const Op echo_op;
const Op echo_op{
    .name = "echo",
    .summary = "Answers its text, or its input.",
    .params = echo_params,
    .input = input_types,
    .output = "text/plain",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<EchoStep>(given.find("text"));
    },
};

}  // namespace fetchmill::workers::ops
