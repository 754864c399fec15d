// The JSON body of /v1/batch, parsed and checked. Pure.
//
// Errors: as handlers/task.hpp, with `field` such as "tasks[3].url"; payload_too_large (more than
// batch.max_tasks).
#pragma once

#include "handlers/task.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fetchmill::handlers {

struct BatchSpec {
  std::vector<TaskSpec> tasks;
  std::uint64_t concurrency = 0;
  std::optional<std::uint64_t> deadline_ms;
  bool input_order = false;
  bool fail_fast = false;
};

config::Result<BatchSpec> parse_batch(const std::string& body, const config::Settings& settings);

}  // namespace fetchmill::handlers
