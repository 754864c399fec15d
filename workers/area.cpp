#include "workers/area.hpp"

#include "workers/doorbell.hpp"

#include <cstddef>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include <simdjson.h>

namespace fetchmill::workers {

Area::Area(Region commands, Region answers, std::uint64_t result_bytes_max)
    : commands_(std::move(commands)),
      answers_(std::move(answers)),
      loop_(commands_.page<LoopPage>()),
      worker_(answers_.page<const WorkerPage>()),
      result_bytes_max_(result_bytes_max) {}

void Area::open(std::uint32_t generation) {
  generation_ = generation;
  owed_begin_ = owed_end_ = answered_ = taken_ = rung_for_ = 0;
  std::iota(free_small_outputs_.begin(), free_small_outputs_.end(), 0);
  receiving_ = false;
  forget_received();
  lie_ = Lie::none;
  loop_.submitted.store(0, std::memory_order_relaxed);
  loop_.wake_wanted.store(0, std::memory_order_relaxed);
  loop_.grant_task.store(0, std::memory_order_relaxed);
  for (std::atomic<std::uint64_t>& mark : loop_.cancelled) mark.store(0, std::memory_order_relaxed);
  loop_.generation.store(generation, std::memory_order_release);
}

bool Area::ready() const {
  return worker_.ready_generation.load(std::memory_order_acquire) == generation_;
}

bool Area::publish() {
  loop_.submitted.store(owed_end_, std::memory_order_release);
  return ring_worker(loop_, worker_, rung_for_);
}

void Area::cancel(Owed& entry) {
  entry.task = nullptr;
  entry.asked.cancelled = true;
  loop_.cancelled[&entry - owed_.data()].store(entry.asked.task, std::memory_order_relaxed);
}

void Area::publish_poison(std::span<const PoisonList::Entry> entries) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    loop_.poison[i].low.store(entries[i].hash[0], std::memory_order_relaxed);
    loop_.poison[i].high.store(entries[i].hash[1], std::memory_order_relaxed);
  }
  loop_.poison_count.store(static_cast<std::uint32_t>(entries.size()), std::memory_order_relaxed);
}

// Answers that were not asked for are a lie when it is their turn; those before them count.
Area::Take Area::look() {
  if (lie_ != Lie::none) return Take::lie;
  const std::optional<std::uint32_t> pending =
      ring_pending(worker_.answered.load(std::memory_order_acquire), taken_);
  if (pending == 0U) return Take::nothing;
  if (!pending || unanswered() == 0) return tell(Lie::index);
  answered_ = taken_ + std::min(*pending, unanswered());
  return Take::answer;
}

// Of what else is there nothing is looked at.
Area::Take Area::tell(Lie lie) {
  lie_ = lie;
  answered_ = taken_;
  receiving_ = false;
  forget_received();
  return Take::lie;
}

void Area::forget_received() {
  received_ = std::string();
}

// An answer that ends its task, or asks for a larger output.
void Area::begin() {
  if (answer_.kind == static_cast<std::uint32_t>(AnswerKind::need_output)) {
    grant_large();
    ++taken_;
    return;
  }
  receiving_ = true;
  scanned_ = 0;
}

// The large output is free: whatever it held was copied before the answer at hand was looked at.
void Area::grant_large() {
  Asked& asked = owed(0).asked;
  asked.large_granted = true;
  large_output_used_ = true;
  asked.grant_offset = large_output_offset;
  asked.grant_bytes = output_bytes_max(asked.result_bytes_max, asked.flags);
  loop_.grant_offset.store(large_output_offset, std::memory_order_relaxed);
  loop_.grant_task.store(asked.task, std::memory_order_release);
  ring_worker(loop_, worker_, rung_for_);
}

Area::Take Area::go_on(TurnBudget& budget, Taken& into) {
  // Another area may have spent it while this one was in the middle of an answer.
  if (budget.spent()) return Take::later;
  const Owed& answered = owed(0);
  // What nobody wants need not be copied.
  if (answered.task == nullptr) {
    forget_received();
  } else {
    const Take got = receive(answered.asked, budget, into.result.output);
    if (got != Take::answer) return got;
  }
  receiving_ = false;
  return finish(answered, budget, into);
}

Area::Take Area::receive(const Asked& asked, TurnBudget& budget,
                         config::Result<JobOutput>& result) {
  std::string& bytes = empty(result).bytes;
  if (!received_.empty()) bytes = std::exchange(received_, {});
  const Take got = receive_piece(asked, budget, bytes);
  if (got == Take::later) received_ = std::move(bytes);
  if (got != Take::answer) return got;
  return answer_.kind == static_cast<std::uint32_t>(AnswerKind::failed) ? describe_failed(result)
                                                                        : describe(asked, *result);
}

Area::Take Area::receive_piece(const Asked& asked, TurnBudget& budget, std::string& bytes) {
  const std::uint64_t left = answer_.bytes - bytes.size();
  const std::uint64_t piece = std::min(left, budget.copy_bytes);
  if (piece < left) bytes.reserve(answer_.bytes);
  const Take got = copy(asked.grant_offset + bytes.size(), piece, budget, bytes);
  if (got != Take::answer) return got;
  if (piece < left) return Take::later;
  const bool for_line = answer_.kind == static_cast<std::uint32_t>(AnswerKind::done) &&
                        (asked.flags & encode_for_line) != 0;
  return for_line ? scan_piece(budget, bytes) : Take::answer;
}

Area::Take Area::scan_piece(TurnBudget& budget, std::string_view bytes) {
  if (scanned_ == 0) scan_ = {};
  const std::uint64_t left = bytes.size() - scanned_;
  const std::uint64_t piece = std::min(left, budget.scan_bytes);
  const bool good = scan_.feed(bytes.substr(scanned_, piece));
  scanned_ += piece;
  budget.scan_bytes -= piece;
  if (!good || (piece == left && !scan_.finish())) return tell(Lie::line);
  return piece == left ? Take::answer : Take::later;
}

// All bytes are there.
Area::Take Area::describe(const Asked& asked, JobOutput& output) {
  output.kind = static_cast<ResultKind>(answer_.result_kind);
  if ((asked.flags & (hash_result | hash_input)) != 0)
    output.hash = std::array{answer_.hash[0], answer_.hash[1]};
  return answer_.media_type_bytes > 0 ? copy_media_type(output.media_type) : Take::answer;
}

Area::Take Area::describe_failed(config::Result<JobOutput>& result) {
  const std::string_view said = result->bytes;
  if (!simdjson::validate_utf8(said)) return tell(Lie::text);
  config::Error error(static_cast<config::ErrorCode>(answer_.error_code),
                      std::string(said.substr(answer_.field_bytes)),
                      std::string(said.substr(0, answer_.field_bytes)));
  error.stage = "process";
  result = std::move(error);
  return Take::answer;
}

Area::Take Area::copy_media_type(std::string& media_type) {
  media_type.assign(worker_.media_types[ring_place(taken_)].text, answer_.media_type_bytes);
  const Lie lie = judge_media_type(media_type);
  return lie == Lie::none ? Take::answer : tell(lie);
}

void Area::make_anew(config::Result<JobOutput>& result) {
  result = JobOutput();
}

bool Area::may_sleep() {
  return !want_ring(loop_, worker_, taken_);
}

}  // namespace fetchmill::workers
