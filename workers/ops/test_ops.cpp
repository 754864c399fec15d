// What the tests need a worker to do. A release build does not contain this file.
#include "workers/ops/op.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <unistd.h>

namespace fetchmill::workers::ops {
namespace {

using config::Result;

// Deeper than any stack; the volatile bytes keep each frame.
// NOLINTNEXTLINE(misc-no-recursion)
int overflow_stack(int depth) {
  if (depth < 0) return 0;
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  return overflow_stack(depth + 1) + frame[0];
}

class CrashStep final : public Step {
 public:
  explicit CrashStep(std::string how) : how_(std::move(how)) {}

  Result<void> run(const Input&, Output&) override {
    // A sanitizer's own handlers would turn these into an exit.
    for (const int number : {SIGSEGV, SIGABRT}) std::signal(number, SIG_DFL);
    if (how_ == "exit") _exit(3);
    if (how_ == "terminate") std::terminate();
    if (how_ == "overflow") overflow_stack(0);
    if (how_ == "stop") std::raise(SIGSTOP);
    if (how_ == "segv") std::raise(SIGSEGV);
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

// Slow enough that whoever watches memory, not the machine's end of it, is what stops this.
class BalloonStep final : public Step {
 public:
  Result<void> run(const Input&, Output&) override {
    constexpr std::size_t step_bytes = std::size_t{1} << 20U;
    for (;;) {
      void* step = std::malloc(step_bytes);
      if (step == nullptr) continue;
      std::memset(step, 1, step_bytes);
      // Keeps the allocation, which nothing else refers to.
      asm volatile("" : : "r"(step) : "memory");
      ::usleep(1000);
    }
  }
};

// Uses the CPU for as many milliseconds as the body says: "012".
class BurnStep final : public Step {
 public:
  Result<void> run(const Input& input, Output& output) override {
    const auto until = std::chrono::steady_clock::now() +
                       std::chrono::milliseconds(std::atoi(std::string(input.bytes).c_str()));
    while (std::chrono::steady_clock::now() < until) asm volatile("");
    output.use_input(input.bytes);
    return {};
  }
};

class LeakStep final : public Step {
 public:
  Result<void> run(const Input& input, Output&) override {
    static std::vector<std::string> kept;
    kept.emplace_back(input.bytes);
    return {};
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

// Not pure: tells how many runs there were in this process.
class RunCountStep final : public Step {
 public:
  Result<void> run(const Input&, Output& output) override {
    static int runs = 0;
    output.bytes = std::to_string(++runs);
    return {};
  }
};

// Not pure: tells a step that was kept compiled from one that was compiled anew.
class CompilationStep final : public Step {
 public:
  explicit CompilationStep(int number) : number_(number) {}

  Result<void> run(const Input&, Output& output) override {
    output.bytes = std::to_string(number_);
    return {};
  }

 private:
  int number_;
};

constexpr std::string_view crash_ways[] = {"segv",      "abort",    "exit",
                                           "terminate", "overflow", "stop"};
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
    .compile = compile_plain<SpinStep>,
};

extern const Op balloon_op;
const Op balloon_op{
    .name = "balloon",
    .summary = "Takes memory without end, a step of 1 MiB at a time.",
    .input = input_types,
    .output = "text/plain",
    .compile = compile_plain<BalloonStep>,
};

extern const Op burn_op;
const Op burn_op{
    .name = "burn",
    .summary = "Uses the CPU for as many milliseconds as its input says.",
    .input = input_types,
    .output = "text/plain",
    .compile = compile_plain<BurnStep>,
};

extern const Op leak_op;
const Op leak_op{
    .name = "leak",
    .summary = "Keeps a copy of its input for good.",
    .input = input_types,
    .output = "text/plain",
    .compile = compile_plain<LeakStep>,
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

extern const Op count_runs_op;
const Op count_runs_op{
    .name = "count_runs",
    .summary = "Answers how often it ran in this process.",
    .input = input_types,
    .output = "text/plain",
    .compile = compile_plain<RunCountStep>,
};

extern const Op count_compiles_op;
const Op count_compiles_op{
    .name = "count_compiles",
    .summary = "Answers how often it had been compiled in this process when its pipeline was.",
    .input = input_types,
    .output = "text/plain",
    .compile = [](const Op&, const Params&) -> Result<std::unique_ptr<Step>> {
      static int count = 0;
      return std::make_unique<CompilationStep>(++count);
    },
};

}  // namespace fetchmill::workers::ops
