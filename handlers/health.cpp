#include "handlers/health.hpp"

#include <string>

namespace fetchmill::handlers {
namespace {

std::string sandbox_json(const workers::SandboxState& state) {
  const auto word = [](bool value) { return value ? "true" : "false"; };
  return std::string("{\"no_new_privs\":") + word(state.no_new_privs) +
         ",\"seccomp\":" + word(state.seccomp) +
         ",\"landlock_abi\":" + std::to_string(state.landlock_abi) + "}";
}

}  // namespace

void live(const server::http::Request&, server::http::Response& response) {
  response.media_type = "application/json";
  response.borrowed_body = "{\"status\":\"ok\"}\n";
}

void ready(const App& app, server::http::Response& response) {
  const workers::Pool::Stats pool = app.pool.stats();
  const bool usable = pool.workers_ready > 0 && !app.draining;
  response.status = usable ? 200 : 503;
  response.media_type = "application/json";
  response.headers = "Cache-Control: no-store\r\n";
  response.body = std::string("{\"status\":\"") +
                  (app.draining ? "draining"
                   : usable     ? "ready"
                                : "starting") +
                  "\",\"workers\":{\"total\":" + std::to_string(pool.workers_total) +
                  ",\"ready\":" + std::to_string(pool.workers_ready) +
                  "},\"tasks\":{\"queued\":" + std::to_string(pool.jobs_queued) +
                  ",\"running\":" + std::to_string(pool.jobs_running) +
                  "},\"region\":{\"budget_bytes\":" + std::to_string(pool.inputs.budget_bytes) +
                  ",\"used_bytes\":" + std::to_string(pool.inputs.claimed_bytes) +
                  "},\"sandbox\":" + sandbox_json(app.sandbox) + "}\n";
}

}  // namespace fetchmill::handlers
