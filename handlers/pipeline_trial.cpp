#include "handlers/pipeline_trial.hpp"

#include "handlers/image_format.hpp"
#include "handlers/pool_waits.hpp"
#include "handlers/slot_sink.hpp"
#include "workers/ops/pipeline.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace fetchmill::handlers {

using config::Error;
using config::Result;
using config::Settings;
using server::Task;

namespace {

// What a worker says of the one step that it was given, said of this one.
Error of_step(Error error, std::string_view name, std::size_t index) {
  constexpr std::string_view only = "pipeline[0]";
  std::string field = "pipelines." + std::string(name) + ".steps[" + std::to_string(index) + ']';
  if (error.field.starts_with(only)) field += error.field.substr(only.size());
  error.field = std::move(field);
  if (error.detail.empty()) error.detail = config::info(error.code).title;
  return error;
}

// Each as a pipeline of its own.
std::vector<std::string> steps_of(const Settings::Pipeline& pipeline) {
  server::fetch::SharedBytes text = pipeline.steps;
  // What a request leaves to Accept is settled before a worker sees it.
  static_cast<void>(choose_format(text, {}));
  return workers::ops::single_steps(text);
}

}  // namespace

void PipelineTrial::start(Pipelines pipelines, Done done) {
  const auto& tried = app_.settings.named_pipelines;
  std::erase_if(pipelines, [&](const Settings::Pipeline& pipeline) {
    return std::ranges::any_of(tried,
                               [&](const auto& other) { return other.steps == pipeline.steps; });
  });
  run(*this, std::move(pipelines), std::move(done));
}

server::Detached PipelineTrial::run(PipelineTrial& self, Pipelines pipelines, Done done) {
  std::vector<Error> faults;
  for (const Settings::Pipeline& pipeline : pipelines) {
    const std::vector<std::string> steps = steps_of(pipeline);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      Task<Result<void>> compiling = self.compile(steps[i]);
      Result<void> compiled = co_await compiling;
      if (self.activity_.interrupted()) co_return;
      if (!compiled) faults.push_back(of_step(std::move(compiled).error(), pipeline.entry_name, i));
    }
  }
  done(faults);
}

Task<Result<void>> PipelineTrial::compile(const std::string& step) {
  SlotSink sink(app_.pool.slots(), step);
  Task<Result<workers::Slot>> taking = sink.take(activity_);
  Result<workers::Slot> slot = co_await taking;
  if (!slot) co_return std::move(slot).error();
  const workers::JobLimits limits{.compile_only = true};
  Processing processing(activity_, app_.pool, std::move(*slot), limits);
  workers::JobResult job = co_await processing;
  if (!job.output) co_return std::move(job.output).error();
  co_return Result<void>();
}

}  // namespace fetchmill::handlers
