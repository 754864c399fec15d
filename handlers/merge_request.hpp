// What a client of /v1/merge sends, parsed and checked. Pure.
//
// Errors: as handlers/batch_request.hpp, with `field` such as "tasks.NAME.url" or
// "pipeline[0].op"; invalid_request also for a name that stands twice.
#pragma once

#include "handlers/batch_request.hpp"

#include <string>
#include <vector>

namespace fetchmill::handlers {

struct MergeSpec {
  BatchOptions options;  // input_order always; fail_fast unless the merge may be partial
  std::vector<TaskSpec> tasks;
  // In front of each task's result in the joined document: `"NAME":` in an object, nothing in an
  // array.
  std::vector<std::string> labels;
  bool is_object = false;
  std::string pipeline = "[]";  // canonical text
};

config::Result<MergeSpec> parse_merge(const std::string& body, const config::Settings& settings);

}  // namespace fetchmill::handlers
