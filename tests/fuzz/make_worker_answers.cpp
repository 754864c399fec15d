// Writes the seeds of fuzz_worker_answers into the directory it is given: what an honest worker
// answers, of each kind, and each lie about it. To be run again when workers/layout.hpp or the
// codes of config/errors.def change.
#include "config/error.hpp"
#include "workers/answer.hpp"
#include "workers/job.hpp"
#include "workers/layout.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace fetchmill::workers;
using fetchmill::config::ErrorCode;

constexpr std::uint32_t submitted_max = 255;  // the first byte of an input
// The second byte of an input.
constexpr unsigned cancel_all = 4;

struct Seed {
  std::string name;
  unsigned submitted = 1;
  unsigned how = 0;  // the flags of every task, or cancel_all
  std::vector<Answer> answers;
  std::string_view output = {};  // the first task's small one
  std::uint32_t more = 0;        // claimed to be answered
};

Answer answer(AnswerKind kind, std::uint32_t index) {
  Answer made{};
  made.task = index + 1;
  made.offset = small_output_offset(index);
  made.process_ns = 1'000'000;
  made.kind = static_cast<std::uint32_t>(kind);
  return made;
}

Answer done(std::uint32_t index, std::uint64_t bytes, ResultKind kind = ResultKind::raw) {
  constexpr std::string_view media_type = "application/json";
  Answer made = answer(AnswerKind::done, index);
  made.bytes = bytes;
  made.hash[0] = 0x0123456789ABCDEF;
  made.hash[1] = 0xFEDCBA9876543210;
  made.result_kind = static_cast<std::uint32_t>(kind);
  made.media_type_bytes = media_type.size();
  media_type.copy(made.media_type, media_type.size());
  return made;
}

Answer failed(std::uint32_t index, ErrorCode code, std::uint64_t bytes = 0,
              std::uint32_t field_bytes = 0) {
  Answer made = answer(AnswerKind::failed, index);
  made.error_code = static_cast<std::uint32_t>(code);
  made.bytes = bytes;
  made.field_bytes = field_bytes;
  return made;
}

Answer need_output(std::uint32_t index, std::uint64_t bytes) {
  Answer made = answer(AnswerKind::need_output, index);
  made.bytes = bytes;
  return made;
}

Answer in_large_output(Answer made) {
  made.offset = large_output_offset;
  return made;
}

template <class Change>
Answer but(Answer made, Change change) {
  change(made);
  return made;
}

Seed line(std::string name, ResultKind kind, std::string_view text) {
  return {std::move(name), 1, encode_for_line, {done(0, text.size(), kind)}, text};
}

std::vector<Seed> honest() {
  constexpr std::string_view field = "pointer";
  constexpr std::string_view failure = "pointernothing at /café";
  constexpr std::uint64_t large = small_output_bytes + 1000;
  std::vector<Answer> failures;
  for (const ErrorCode code :
       {ErrorCode::processing_failed, ErrorCode::invalid_request, ErrorCode::result_too_large,
        ErrorCode::unknown_op, ErrorCode::unknown_field, ErrorCode::internal_error})
    failures.push_back(failed(static_cast<std::uint32_t>(failures.size()), code));
  Seed full{"full_ring", std::min(ring_depth, submitted_max), hash_result, {}};
  for (std::uint32_t i = 0; i < full.submitted; ++i) full.answers.push_back(done(i, i));
  return {
      {"done", 3, 0, {done(0, 5), done(1, 0), done(2, small_output_bytes)}},
      {"done_hashed", 1, hash_result, {done(0, 100)}},
      {"done_in_part", 3, 0, {done(0, 5)}},
      line(
          "line_json", ResultKind::json,
          R"({"a":[0,-2.5e+3,1E-2,true,false,null,{},[]],"b":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"})"),
      line("line_text", ResultKind::text, R"("one\ttwo")"),
      line("line_base64", ResultKind::base64, R"("aGVsbG8=")"),
      {"failed",
       1,
       0,
       {failed(0, ErrorCode::processing_failed, failure.size(), field.size())},
       failure},
      {"failed_each", 6, encode_for_line, failures},
      {"large",
       2,
       hash_result,
       {need_output(0, large), in_large_output(done(0, large)), done(1, 5)}},
      {"large_twice",
       2,
       0,
       {need_output(0, large), in_large_output(done(0, large)), need_output(1, large),
        in_large_output(done(1, large))}},
      {"large_failed",
       1,
       0,
       {need_output(0, large), in_large_output(failed(0, ErrorCode::result_too_large, 20))}},
      {"cancelled",
       4,
       cancel_all,
       {answer(AnswerKind::skipped, 0), done(1, 5), failed(2, ErrorCode::processing_failed),
        answer(AnswerKind::skipped, 3)}},
      full,
  };
}

std::vector<Seed> lies() {
  constexpr std::string_view latin_1 = "caf\xE9";
  constexpr std::uint64_t large = small_output_bytes + 1000;
  constexpr std::uint64_t too_large = 1ULL << 40U;
  return {
      {"lie_index", 1, 0, {done(0, 5)}, {}, 1},
      {"lie_index_of_ring", 1, 0, {done(0, 5)}, {}, ring_depth},
      {"lie_task", 2, 0, {done(1, 5), done(0, 5)}},
      {"lie_kind", 2, 0, {done(0, 5), answer(AnswerKind{5}, 1)}},
      {"lie_state_skipped", 3, 0, {answer(AnswerKind::skipped, 0)}},
      {"lie_state_skipped_large",
       3,
       cancel_all,
       {need_output(0, large), in_large_output(answer(AnswerKind::skipped, 0))}},
      {"lie_state_small", 1, 0, {need_output(0, small_output_bytes)}},
      {"lie_state_again", 1, 0, {need_output(0, large), need_output(0, large)}},
      {"lie_span_offset",
       2,
       0,
       {but(done(0, 5), [](Answer& a) { a.offset += small_output_bytes; })}},
      {"lie_span_bytes", 1, 0, {done(0, small_output_bytes + 1)}},
      {"lie_span_not_granted", 1, 0, {in_large_output(done(0, large))}},
      {"lie_length_asked", 1, 0, {need_output(0, too_large)}},
      {"lie_length_field", 1, 0, {failed(0, ErrorCode::unknown_op, 5, 6)}},
      {"lie_length_text",
       1,
       0,
       {need_output(0, large),
        in_large_output(failed(0, ErrorCode::unknown_op, failure_text_bytes_max + 1))}},
      {"lie_result_kind", 1, 0, {done(0, 5, ResultKind{4})}},
      {"lie_result_kind_raw", 1, encode_for_line, {done(0, 5)}},
      {"lie_error_code", 2, 0, {failed(0, ErrorCode::poisoned_input)}},
      {"lie_media_type", 1, 0, {but(done(0, 5), [](Answer& a) { a.media_type[3] = '\n'; })}},
      {"lie_media_type_length",
       1,
       0,
       {but(done(0, 5), [](Answer& a) { a.media_type_bytes = sizeof a.media_type + 1; })}},
      {"lie_text", 1, 0, {failed(0, ErrorCode::processing_failed, latin_1.size())}, latin_1},
      line("lie_line_two", ResultKind::json, "{\"a\":1}\n{\"b\":2}"),
      line("lie_line_cut", ResultKind::json, R"({"a":[1,2)"),
      line("lie_line_string", ResultKind::text, "\"a\nb\""),
  };
}

// As LLVMFuzzerTestOneInput reads it.
std::string input(const Seed& seed) {
  std::string page(sizeof(WorkerPage), '\0');
  const std::uint32_t answered = static_cast<std::uint32_t>(seed.answers.size()) + seed.more;
  std::memcpy(&page[offsetof(WorkerPage, answered)], &answered, sizeof answered);
  const std::size_t bytes = seed.answers.size() * sizeof(Answer);
  std::memcpy(&page[offsetof(WorkerPage, answers)], seed.answers.data(), bytes);
  // The rest is zero in any case.
  if (seed.output.empty()) page.resize(offsetof(WorkerPage, answers) + bytes);
  const std::string head{static_cast<char>(seed.submitted), static_cast<char>(seed.how)};
  return head + page + std::string(seed.output);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("usage: make_worker_answers DIRECTORY\n", stderr);
    return 2;
  }
  std::vector<Seed> seeds = honest();
  for (Seed& lie : lies()) seeds.push_back(std::move(lie));
  for (const Seed& seed : seeds) {
    std::ofstream file(std::string(arguments[1]) + '/' + seed.name, std::ios::binary);
    if (!(file << input(seed)).flush()) {
      std::perror(seed.name.c_str());
      return 1;
    }
  }
  return 0;
}
