// Judges what a worker says: a pure function over the loop's private copy of an Answer.
//
// Process: loop. Trust: the answer is a hostile worker's; what was asked is the loop's own books.
// Whatever is not exactly what an honest worker would say is a lie, and ends the worker.
#pragma once

#include "workers/job.hpp"
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
  span,         // more than was granted
  length,       // longer than allowed, or than it says
  result_kind,  // not a ResultKind, or not one that was asked for
  error_code,   // not one that what was asked for may end in
  media_type,   // too long, or not printable ASCII
  text,         // a failure's text is not UTF-8
  line,         // not exactly one JSON value on one line
};
std::string_view to_string(Lie lie);

inline Lie judge_done(const Answer& answer, const Asked& asked) {
  if (answer.bytes > asked.grant_bytes) return Lie::span;
  if (answer.bytes > output_bytes_max(asked.result_bytes_max, asked.flags)) return Lie::length;
  const bool for_line = (asked.flags & encode_for_line) != 0;
  const auto raw = static_cast<std::uint32_t>(ResultKind::raw);
  const auto last = static_cast<std::uint32_t>(ResultKind::base64);
  if (for_line ? answer.result_kind == raw || answer.result_kind > last : answer.result_kind != raw)
    return Lie::result_kind;
  return answer.media_type_bytes > sizeof(AnswerMediaType) ? Lie::media_type : Lie::none;
}
// Of what is not done.
Lie judge_other(const Answer& answer, const Asked& asked);

// Inline, because of thousands of tiny tasks nearly all are done.
inline Lie judge(const Answer& answer, const Asked& asked) {
  if (answer.task != asked.task) return Lie::task;
  return answer.kind == static_cast<std::uint32_t>(AnswerKind::done) ? judge_done(answer, asked)
                                                                     : judge_other(answer, asked);
}
// Of a copy of what an answer says beside it.
Lie judge_media_type(std::string_view media_type);

}  // namespace fetchmill::workers
