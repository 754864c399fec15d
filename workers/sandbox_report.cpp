#include "workers/sandbox_report.hpp"

#include <string>

namespace fetchmill::workers {
namespace {

const char* on_or_off(bool on) {
  return on ? "on" : "off";
}

}  // namespace

void report_sandbox(const Sandbox& sandbox, config::Metrics& metrics, config::Log& log) {
  const SandboxState& state = sandbox.state();
  metrics.sandbox.with({"no_new_privs"}).set(state.no_new_privs ? 1 : 0);
  metrics.sandbox.with({"seccomp"}).set(state.seccomp ? 1 : 0);
  metrics.sandbox.with({"landlock"}).set(state.landlock_abi > 0 ? 1 : 0);
  if (!sandbox.refused().empty())
    log.warn("main", "workers run without parts of their sandbox, which the kernel refuses",
             {{"refused", sandbox.refused()}});
  log.info("main", "sandbox",
           {{"no_new_privs", on_or_off(state.no_new_privs)},
            {"seccomp", on_or_off(state.seccomp)},
            {"landlock", state.landlock_abi > 0 ? "abi " + std::to_string(state.landlock_abi)
                                                : std::string("off")}});
}

}  // namespace fetchmill::workers
