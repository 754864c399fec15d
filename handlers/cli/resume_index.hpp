// What an earlier run of a batch has results of, by the lines it left. Pure.
//
// Bytes: some 50 for each line with a result. Requires: lines as outcome.cpp writes them. Trust:
// the file is the user's; what looks like no outcome counts for nothing.
#pragma once

#include "handlers/task.hpp"

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include <simdjson.h>

namespace fetchmill::handlers::cli {

class ResumeIndex {
 public:
  // One line of the file; of a long one the beginning will do.
  void add(std::string_view line);
  // Whether the task has a result. Each result stands for one task: of three tasks with one URL and
  // two results, one is left to do.
  bool take(const TaskSpec& task);

  // Whether a file that begins so holds outcomes.
  static bool looks_like_outcomes(std::string_view beginning);

 private:
  simdjson::dom::parser parser_;
  std::unordered_map<std::uint64_t, std::uint32_t> results_;
};

}  // namespace fetchmill::handlers::cli
