// What the tests need a worker to do. A release build does not contain this file.
#include "workers/ops/op.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>
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

// ---- What does not end by itself. Slow enough that whoever watches memory, not the machine's end
// of it, is what stops those that take some.

constexpr std::size_t taken_at_once = std::size_t{1} << 20U;

[[noreturn]] void spin(const char*) {
  for (;;) asm volatile("");
}

[[noreturn]] void take_memory(const char*) {
  for (;;) {
    void* step = std::malloc(taken_at_once);
    if (step == nullptr) continue;
    std::memset(step, 1, taken_at_once);
    // Keeps the allocation, which nothing else refers to.
    asm volatile("" : : "r"(step) : "memory");
    ::usleep(1000);
  }
}

// Reads on where the inputs have no pages yet, and hides from its own page tables that it did.
[[noreturn]] void read_beyond(const char* body) {
  constexpr std::uintptr_t page = 4096;
  const char* at = body - reinterpret_cast<std::uintptr_t>(body) % page + page;
  for (;; at += taken_at_once) {
    for (std::size_t offset = 0; offset < taken_at_once; offset += page)
      static_cast<void>(*const_cast<const volatile char*>(at + offset));
    ::madvise(const_cast<char*>(at), taken_at_once, MADV_DONTNEED);
    ::usleep(1000);
  }
}

struct EndlessDeed {
  std::string_view name;
  void (*act)(const char* body);
};
constexpr std::array<EndlessDeed, 3> endless_deeds{
    {{"spin", spin}, {"take_memory", take_memory}, {"read_beyond", read_beyond}}};
constexpr std::string_view endless_names[] = {endless_deeds[0].name, endless_deeds[1].name,
                                              endless_deeds[2].name};

template <void (*act)(const char* body)>
class EndlessStep final : public Step {
 public:
  Result<void> run(const Input& input, Output&) override {
    act(input.bytes.data());
    return {};
  }
};

// Answers, and goes on in a thread when nothing is asked of the worker any more.
class LingerStep final : public Step {
 public:
  explicit LingerStep(std::string_view what)
      : act_(std::find_if(endless_deeds.begin(), endless_deeds.end(), [&](const EndlessDeed& deed) {
               return deed.name == what;
             })->act) {}

  Result<void> run(const Input& input, Output&) override {
    std::thread(act_, input.bytes.data()).detach();
    return {};
  }

 private:
  void (*act_)(const char* body);
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

class WearOutStep final : public Step {
 public:
  Result<void> run(const Input&, Output&) override { return {}; }
  bool wore_out_worker() const override { return true; }
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
constexpr ParamSpec linger_params[] = {
    {.name = "what",
     .required = true,
     .values = endless_names,
     .description = "What to go on with."},
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
    .compile = compile_plain<EndlessStep<spin>>,
};

extern const Op balloon_op;
const Op balloon_op{
    .name = "balloon",
    .summary = "Takes memory without end, a step of 1 MiB at a time.",
    .input = input_types,
    .output = "text/plain",
    .compile = compile_plain<EndlessStep<take_memory>>,
};

extern const Op read_beyond_op;
const Op read_beyond_op{
    .name = "read_beyond",
    .summary = "Reads the shared memory behind its input without end.",
    .input = input_types,
    .output = "text/plain",
    .compile = compile_plain<EndlessStep<read_beyond>>,
};

extern const Op linger_op;
const Op linger_op{
    .name = "linger",
    .summary = "Answers, and never ends what it then does.",
    .params = linger_params,
    .input = input_types,
    .output = "text/plain",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<LingerStep>(given.get<std::string>("what"));
    },
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

extern const Op wear_out_op;
const Op wear_out_op{
    .name = "wear_out",
    .summary = "Answers, as the last that its worker does.",
    .input = input_types,
    .output = "text/plain",
    .compile = compile_plain<WearOutStep>,
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
