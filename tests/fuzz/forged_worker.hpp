// A worker as a fuzzer plays it: says what an honest one would, and then forges it.
//
// Process: the fuzzer's only one, which is loop and worker by turns. What it wrote is cleared when
// it is destroyed, so that the next input finds the memory as this one did.
#pragma once

#include "config/error.hpp"
#include "workers/job.hpp"
#include "workers/layout.hpp"
#include "workers/region.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace fetchmill::workers {

// What the two share. Outputs hold spaces where nothing was written, so that a long one can be
// JSON.
struct ForgedMemory {
  ForgedMemory() { clear(seen_answers.all().subspan(small_outputs_offset)); }
  static void clear(std::span<std::byte> output) { std::memset(output.data(), ' ', output.size()); }

  static constexpr std::uint64_t result_max = 64 * 1024;
  SharedFile commands = *make_shared_file("commands", command_bytes);
  SharedFile answers = *make_shared_file("answers", answer_bytes(result_max));
  Region seen_commands = *Region::map(commands.readable, commands.bytes, Access::read_only);
  Region seen_answers = *Region::map(answers.writable, answers.bytes, Access::read_write);
};

class ForgedWorker {
 public:
  explicit ForgedWorker(ForgedMemory& memory) : memory_(memory) { open(); }
  ForgedWorker(const ForgedWorker&) = delete;
  ForgedWorker& operator=(const ForgedWorker&) = delete;
  ~ForgedWorker() { std::for_each(written_.begin(), written_.end(), ForgedMemory::clear); }

  void open() {
    std::memset(static_cast<void*>(&page_), 0, sizeof page_);
    ended_ = 0;
    large_granted_ = false;
  }
  // Tasks that it did not answer.
  std::uint32_t left() const { return loop_.submitted.load() - ended_; }

  // Answers the oldest that is left; where none is, one that nobody submitted.
  void answer(AnswerKind kind, std::string_view output, config::ErrorCode code) {
    const Submission asked = left() > 0 ? loop_.submissions[ring_place(ended_)] : Submission{};
    const bool for_line = (asked.flags & encode_for_line) != 0;
    const bool asks = kind == AnswerKind::need_output;
    Answer said{};
    said.task = asked.task;
    said.bytes = asks ? asked.grant_bytes + 1 : output.size();
    said.kind = static_cast<std::uint32_t>(kind);
    said.result_kind = static_cast<std::uint32_t>(for_line ? ResultKind::json : ResultKind::raw);
    said.error_code = static_cast<std::uint32_t>(code);
    said.media_type_bytes = 3;
    sign(said);
    write(large_granted_ ? large_output_offset : asked.grant_offset, output);
    const std::uint32_t place = ring_place(page_.answered.fetch_add(1));
    page_.answers[place] = said;
    std::memset(page_.media_types[place].text, 'a', sizeof(AnswerMediaType));
    large_granted_ = asks;
    if (!asks && left() > 0) ++ended_;
  }

  // Adds to a field of its last answer.
  void forge(char field, std::uint64_t more) {
    const std::uint32_t place = ring_place(page_.answered.load() - 1);
    Answer& said = page_.answers[place];
    const auto low = static_cast<std::uint32_t>(more);
    if (field == 't') said.task += more;
    if (field == 'b') said.bytes += more;
    if (field == 'p') said.process_ns += more;
    if (field == 'k') said.kind += low;
    if (field == 'r') said.result_kind += low;
    if (field == 'e') said.error_code += low;
    if (field == 'f') said.field_bytes += low;
    if (field == 'm') said.media_type_bytes += low;
    if (field == 'c') page_.media_types[place].text[2] = static_cast<char>('a' + low % 256);
    sign(said);
  }
  // Writes over the output of its last answer.
  void write_over(std::string_view bytes) { write(output_, bytes); }
  void claim(std::uint32_t more) { page_.answered.fetch_add(more); }
  void sleep(std::uint32_t more) { page_.sleeping.fetch_add(more); }

 private:
  // The hash says what the answer claims, for the fuzzer to compare with what was owed.
  static void sign(Answer& said) {
    said.hash[0] = said.task;
    said.hash[1] = ~said.task;
  }
  void write(std::uint64_t offset, std::string_view bytes) {
    output_ = offset;
    const auto output = memory_.seen_answers.writable_span(offset, bytes.size());
    if (offset < small_outputs_offset || !output || bytes.empty()) return;
    std::memcpy(output->data(), bytes.data(), bytes.size());
    written_.push_back(*output);
  }

  ForgedMemory& memory_;
  const LoopPage& loop_ = memory_.seen_commands.page<const LoopPage>();
  WorkerPage& page_ = memory_.seen_answers.page<WorkerPage>();
  std::uint32_t ended_ = 0;
  bool large_granted_ = false;
  std::uint64_t output_ = 0;  // of its last answer
  std::vector<std::span<std::byte>> written_;
};

}  // namespace fetchmill::workers
