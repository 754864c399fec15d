#include "workers/answer.hpp"

#include "config/error.hpp"

#include <algorithm>
#include <array>

namespace fetchmill::workers {
namespace {

Lie judge_failed(const Answer& answer, const Asked& asked) {
  using config::ErrorCode;
  constexpr std::array allowed{ErrorCode::processing_failed, ErrorCode::invalid_request,
                               ErrorCode::result_too_large,  ErrorCode::unknown_op,
                               ErrorCode::unknown_field,     ErrorCode::internal_error};
  const auto says = [&](ErrorCode code) {
    return answer.error_code == static_cast<std::uint32_t>(code);
  };
  const bool poisoned = (asked.flags & check_poison) != 0 && says(ErrorCode::poisoned_input);
  const bool badly_coded =
      (asked.flags & undo_coding) != 0 &&
      (says(ErrorCode::upstream_body_too_large) || says(ErrorCode::upstream_protocol));
  if (!poisoned && !badly_coded && std::none_of(allowed.begin(), allowed.end(), says))
    return Lie::error_code;
  if (answer.bytes > asked.grant_bytes) return Lie::span;
  if (answer.bytes > failure_text_bytes_max || answer.field_bytes > answer.bytes)
    return Lie::length;
  return Lie::none;
}

}  // namespace

std::string_view to_string(Lie lie) {
  constexpr std::array<std::string_view, 12> names{
      "none",   "index",       "task",       "kind",       "state", "span",
      "length", "result_kind", "error_code", "media_type", "text",  "line"};
  return names[static_cast<std::size_t>(lie)];
}

Lie judge_other(const Answer& answer, const Asked& asked) {
  switch (static_cast<AnswerKind>(answer.kind)) {
    case AnswerKind::failed:
      return judge_failed(answer, asked);
    case AnswerKind::skipped:
      return asked.cancelled && !asked.large_granted ? Lie::none : Lie::state;
    case AnswerKind::need_output:
      if (asked.large_granted || answer.bytes <= asked.grant_bytes) return Lie::state;
      return answer.bytes > output_bytes_max(asked.result_bytes_max, asked.flags) ? Lie::length
                                                                                  : Lie::none;
    default:
      return Lie::kind;
  }
}

Lie judge_media_type(std::string_view media_type) {
  const bool printable = std::all_of(media_type.begin(), media_type.end(),
                                     [](char c) { return c >= ' ' && c <= '~'; });
  return printable ? Lie::none : Lie::media_type;
}

}  // namespace fetchmill::workers
