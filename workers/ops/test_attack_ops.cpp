// attack: what a worker would try that has been taken over. A release build does not contain this
// file.
#include "workers/ops/op.hpp"
#include "workers/ops/test_attempts.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace fetchmill::workers::ops {
namespace {

using config::Result;

const std::vector<Attempt> attempts = [] {
  std::vector<Attempt> all;
  for (const std::span<const Attempt> group : {attempts_outside(), attempts_inside()})
    all.insert(all.end(), group.begin(), group.end());
  return all;
}();

const std::vector<std::string_view> attempt_names = [] {
  std::vector<std::string_view> names;
  names.reserve(attempts.size());
  for (const Attempt& attempt : attempts) names.push_back(attempt.name);
  return names;
}();

int bell_descriptor() {
  for (int fd = 0; fd < 4096; ++fd)
    if (fd != STDERR_FILENO && ::fcntl(fd, F_GETFD) >= 0) return fd;
  return -1;
}

class AttackStep final : public Step {
 public:
  AttackStep(std::string what, pid_t loop) : what_(std::move(what)), loop_(loop) {}

  Result<void> run(const Input& input, Output& output) override {
    const auto address = reinterpret_cast<std::uintptr_t>(input.bytes.data());
    const Target target{.input = const_cast<char*>(input.bytes.data()) - address % page,
                        .loop = loop_,
                        .spawner = ::getppid(),
                        .bell = bell_descriptor()};
    const auto attempt = std::find_if(attempts.begin(), attempts.end(),
                                      [this](const Attempt& a) { return a.name == what_; });
    errno = 0;
    const bool success = attempt->succeeds(target);
    output.bytes = success ? "succeeded" : std::string("refused: ") + std::strerror(errno);
    return {};
  }

 private:
  std::string what_;
  pid_t loop_;
};

const ParamSpec attack_params[] = {
    {.name = "what", .required = true, .values = attempt_names, .description = "What to try."},
    {.name = "loop",
     .types = integer_type,
     .required = true,
     .min = 2,
     .max = 4194304,
     .description = "The pid of the loop."},
};
constexpr std::string_view input_types[] = {"*/*"};

}  // namespace

extern const Op attack_op;
const Op attack_op{
    .name = "attack",
    .summary = "Tries what no worker may do, and says whether it succeeded.",
    .params = attack_params,
    .input = input_types,
    .output = "text/plain",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<AttackStep>(given.get<std::string>("what"),
                                          static_cast<pid_t>(given.get<std::int64_t>("loop")));
    },
};

}  // namespace fetchmill::workers::ops
