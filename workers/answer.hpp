// Judges what a worker says: a pure function over the loop's private copy of an Answer.
//
// Process: loop. Trust: the answer is a hostile worker's; what was asked is the loop's own books.
// Whatever is not exactly what an honest worker would say is a lie, and ends the worker.
#pragma once

#include "workers/layout.hpp"

#include <cstdint>
#include <string_view>

namespace fetchmill::workers {

// What the loop asked for, of the oldest unanswered task: answers come in ring order.
struct Asked {
  std::uint64_t task = 0;
  std::uint64_t grant_offset = 0;
  std::uint64_t grant_bytes = 0;
  std::uint64_t result_bytes_max = 0;
  std::uint32_t flags = 0;     // SubmissionFlags
  bool large_granted = false;  // it already asked for a larger output
  bool cancelled = false;
};

enum class Lie : std::uint8_t {
  none,
  index,        // more answers than were asked for
  task,         // not the oldest unanswered one
  kind,         // not an AnswerKind
  state,        // does not follow from what went before
  span,         // outside what was granted
  length,       // longer than allowed, or than it says
  result_kind,  // not a ResultKind, or not one that was asked for
  error_code,   // not one that what was asked for may end in
  media_type,   // too long, or not printable ASCII
  text,         // a failure's text is not UTF-8
  line,         // not exactly one JSON value on one line
};
std::string_view to_string(Lie lie);

Lie judge(const Answer& answer, const Asked& asked);

}  // namespace fetchmill::workers
