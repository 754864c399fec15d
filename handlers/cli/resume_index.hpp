// What an earlier run of a batch has results of, by the lines it left. Pure.
//
// A task is known by its id, whatever else it says. Without one it is known by its URL and its
// place in the input, which is the `index` of its outcome: of two lines with one URL and different
// bodies, the URL alone does not tell which has its result. So while the input is the same, or has
// only got more lines, no task is left out that has no result. Where lines were moved, a task's
// place is that of another one, or its result stands at a place that was passed without it; then
// the URL alone tells. What is still in doubt is fetched again.
//
// Bytes: some 110 for each line with a result, some 30 for each task with an id. Requires: lines as
// outcome.cpp writes them. Trust: the file is the user's; what looks like no outcome counts for
// nothing.
#pragma once

#include "handlers/task.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <simdjson.h>

namespace fetchmill::handlers::cli {

class ResumeIndex {
 public:
  // One line of the file; of a long one the beginning will do.
  void add(std::string_view line);
  // Whether the task, whose place in the input is `index`, has a result. Each result stands for one
  // task: of three tasks with one URL and two results, one is left to do. Requires: tasks come in
  // the order of their places.
  bool take(const TaskSpec& task, std::uint64_t index);
  // Whether it is the first one of the input with its id, or has none.
  bool is_first_of_its_id(const TaskSpec& task);

  // Whether a file that begins so holds outcomes.
  static bool looks_like_outcomes(std::string_view beginning);

  // The first line of a file, without its newline: what all of its results were asked for. What
  // only decides which results there are (limits, accept_status) or changes from run to run
  // (headers with a token) is not in it.
  static std::string order_line(const TaskSpec& defaults);
  static bool is_order_line(std::string_view line);

 private:
  simdjson::dom::parser parser_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> results_;  // key, index; not taken yet
  std::unordered_set<std::uint64_t> places_;                   // the indexes of all results
  std::unordered_set<std::uint64_t> ids_;  // the keys of those seen in the input
};

}  // namespace fetchmill::handlers::cli
