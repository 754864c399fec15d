// Finds out, for a reload, whether named pipelines compile: by workers, so that what a library does
// with a program, or a program with a library, ends a worker at most, and holds nobody up.
//
// Each step is compiled by itself, so that all of them are tried whatever comes of the others.
//
// Owner: main. Lifetime: interrupt() comes before the pool stops. Process: loop. Errors: those of
// every step that does not compile, and whatever kept a worker from finding out.
#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"
#include "handlers/app.hpp"
#include "server/activity.hpp"
#include "server/coroutine.hpp"

#include <functional>
#include <string>
#include <vector>

namespace fetchmill::handlers {

class PipelineTrial {
 public:
  using Pipelines = std::vector<config::Settings::Pipeline>;
  using Done = std::function<void(const std::vector<config::Error>& faults)>;

  explicit PipelineTrial(App& app) : app_(app), activity_(app.wheel) {}

  // Tries those whose steps no pipeline has now; the others have been tried. `field` of a fault is
  // such as "pipelines.NAME.steps[0].program". Requires: no other is under way.
  void start(Pipelines pipelines, Done done);
  // What is under way ends, and is not done.
  void interrupt() { activity_.interrupt(config::ErrorCode::draining); }

 private:
  static server::Detached run(PipelineTrial& self, Pipelines pipelines, Done done);
  server::Task<config::Result<void>> compile(const std::string& step);

  App& app_;
  server::Activity activity_;
};

}  // namespace fetchmill::handlers
