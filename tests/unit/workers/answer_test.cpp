#include "workers/answer.hpp"

#include "config/error.hpp"
#include "workers/job.hpp"

#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

using config::ErrorCode;

Asked asked() {
  return {.task = 7,
          .grant_offset = small_output_offset(3),
          .grant_bytes = small_output_bytes,
          .result_bytes_max = 100'000};
}

Answer answer(AnswerKind kind, std::uint64_t bytes) {
  Answer given{};
  given.task = 7;
  given.kind = static_cast<std::uint32_t>(kind);
  given.bytes = bytes;
  given.error_code = static_cast<std::uint32_t>(ErrorCode::processing_failed);
  return given;
}

TEST(Answer, HonestOnesPass) {
  EXPECT_EQ(judge(answer(AnswerKind::done, 0), asked()), Lie::none);
  EXPECT_EQ(judge(answer(AnswerKind::done, small_output_bytes), asked()), Lie::none);
  EXPECT_EQ(judge(answer(AnswerKind::failed, 10), asked()), Lie::none);
  EXPECT_EQ(judge(answer(AnswerKind::need_output, small_output_bytes + 1), asked()), Lie::none);
  EXPECT_EQ(judge(answer(AnswerKind::need_output, 100'000), asked()), Lie::none);

  Asked cancelled = asked();
  cancelled.cancelled = true;
  EXPECT_EQ(judge(answer(AnswerKind::skipped, 0), cancelled), Lie::none);

  Asked granted = asked();
  granted.large_granted = true;
  granted.grant_offset = large_output_offset;
  granted.grant_bytes = 100'000;
  EXPECT_EQ(judge(answer(AnswerKind::done, 100'000), granted), Lie::none);

  Asked for_line = asked();
  for_line.flags = encode_for_line;
  Answer json = answer(AnswerKind::done, 2);
  json.result_kind = static_cast<std::uint32_t>(ResultKind::json);
  EXPECT_EQ(judge(json, for_line), Lie::none);

  Asked coded = asked();
  coded.flags = undo_coding;
  for (const ErrorCode code : {ErrorCode::upstream_protocol, ErrorCode::upstream_body_too_large,
                               ErrorCode::processing_failed}) {
    Answer failed = answer(AnswerKind::failed, 10);
    failed.error_code = static_cast<std::uint32_t>(code);
    EXPECT_EQ(judge(failed, coded), Lie::none) << config::info(code).name;
  }
}

TEST(Answer, EveryLieIsFound) {
  struct Case {
    std::string what;
    AnswerKind kind;
    std::uint64_t bytes;
    std::function<void(Answer&, Asked&)> twist;
    Lie lie;
  };
  const std::vector<Case> cases{
      {"another task", AnswerKind::done, 1, [](Answer& a, Asked&) { a.task = 8; }, Lie::task},
      {"no task", AnswerKind::failed, 1, [](Answer& a, Asked&) { a.task = 0; }, Lie::task},
      {"kind 0", AnswerKind::done, 1, [](Answer& a, Asked&) { a.kind = 0; }, Lie::kind},
      {"kind 5", AnswerKind::done, 1, [](Answer& a, Asked&) { a.kind = 5; }, Lie::kind},
      {"huge kind", AnswerKind::done, 1, [](Answer& a, Asked&) { a.kind = UINT32_MAX; }, Lie::kind},
      {"skipped, not cancelled", AnswerKind::skipped, 0, [](Answer&, Asked&) {}, Lie::state},
      {"skipped after a grant", AnswerKind::skipped, 0,
       [](Answer&, Asked& q) { q.cancelled = q.large_granted = true; }, Lie::state},
      {"asks twice", AnswerKind::need_output, 50'000,
       [](Answer&, Asked& q) { q.large_granted = true; }, Lie::state},
      {"asks for what it has", AnswerKind::need_output, small_output_bytes, [](Answer&, Asked&) {},
       Lie::state},
      {"asks for too much", AnswerKind::need_output, 100'001, [](Answer&, Asked&) {}, Lie::length},
      {"asks for everything", AnswerKind::need_output, UINT64_MAX, [](Answer&, Asked&) {},
       Lie::length},
      {"beyond the grant", AnswerKind::done, small_output_bytes + 1, [](Answer&, Asked&) {},
       Lie::span},
      {"a failure beyond the grant", AnswerKind::failed, 65,
       [](Answer&, Asked& q) { q.grant_bytes = 64; }, Lie::span},
      {"a wrapping length", AnswerKind::done, UINT64_MAX, [](Answer&, Asked&) {}, Lie::span},
      {"above the limit", AnswerKind::done, 101,
       [](Answer&, Asked& q) { q.result_bytes_max = 100; }, Lie::length},
      {"above the limit of a line", AnswerKind::done, 603,
       [](Answer& a, Asked& q) {
         a.result_kind = static_cast<std::uint32_t>(ResultKind::base64);
         q.flags = encode_for_line;
         q.result_bytes_max = 100;
       },
       Lie::length},
      {"no such result kind", AnswerKind::done, 1, [](Answer& a, Asked&) { a.result_kind = 4; },
       Lie::result_kind},
      {"encoded, unasked", AnswerKind::done, 1, [](Answer& a, Asked&) { a.result_kind = 1; },
       Lie::result_kind},
      {"raw, for a line", AnswerKind::done, 1, [](Answer&, Asked& q) { q.flags = encode_for_line; },
       Lie::result_kind},
      {"media type too long", AnswerKind::done, 1,
       [](Answer& a, Asked&) { a.media_type_bytes = sizeof(AnswerMediaType) + 1; },
       Lie::media_type},
      {"a code no op has", AnswerKind::failed, 1,
       [](Answer& a, Asked&) {
         a.error_code = static_cast<std::uint32_t>(ErrorCode::address_denied);
       },
       Lie::error_code},
      {"a bad coding, where none was to be undone", AnswerKind::failed, 1,
       [](Answer& a, Asked& q) {
         a.error_code = static_cast<std::uint32_t>(ErrorCode::upstream_protocol);
         q.flags = ~undo_coding;
       },
       Lie::error_code},
      {"a bomb, where no coding was to be undone", AnswerKind::failed, 1,
       [](Answer& a, Asked&) {
         a.error_code = static_cast<std::uint32_t>(ErrorCode::upstream_body_too_large);
       },
       Lie::error_code},
      {"a fetch's code that no coding has", AnswerKind::failed, 1,
       [](Answer& a, Asked& q) {
         a.error_code = static_cast<std::uint32_t>(ErrorCode::upstream_status);
         q.flags = undo_coding;
       },
       Lie::error_code},
      {"a code that is none", AnswerKind::failed, 1, [](Answer& a, Asked&) { a.error_code = 5000; },
       Lie::error_code},
      {"a long excuse", AnswerKind::failed, failure_text_bytes_max + 1, [](Answer&, Asked&) {},
       Lie::length},
      {"a field longer than the text", AnswerKind::failed, 4,
       [](Answer& a, Asked&) { a.field_bytes = 5; }, Lie::length},
  };
  for (const Case& c : cases) {
    Answer given = answer(c.kind, c.bytes);
    Asked question = asked();
    c.twist(given, question);
    EXPECT_EQ(judge(given, question), c.lie) << c.what << ": " << to_string(judge(given, question));
  }
}

TEST(Answer, MediaTypesArePrintableAscii) {
  for (const std::string_view honest : {"", "text/plain", "text/html; charset=utf-8"})
    EXPECT_EQ(judge_media_type(honest), Lie::none) << honest;
  for (const std::string_view lie : {"\n", "text/plain\r", "\xff", "text/\x7f"})
    EXPECT_EQ(judge_media_type(lie), Lie::media_type) << lie;
}

}  // namespace
}  // namespace fetchmill::workers
