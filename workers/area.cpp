#include "workers/area.hpp"

#include "workers/doorbell.hpp"
#include "workers/prefetch.hpp"

#include <cstddef>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

#include <simdjson.h>

namespace fetchmill::workers {
namespace {

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What the last answer left is used again: to make it anew takes longer than to copy a tiny result.
JobOutput& empty_output(std::optional<JobResult>& result) {
  if (!result || !result->output) return *result.emplace().output;
  JobOutput& output = *result->output;
  // Of a result that nobody took.
  if (output.bytes.capacity() > small_output_bytes) output.bytes = std::string();
  output.bytes.clear();
  output.media_type.clear();
  output.hash.reset();
  return output;
}

}  // namespace

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
  stop_receiving();
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

void Area::cancel(const Task& task) {
  for (std::uint32_t i = 0; i < unanswered(); ++i) {
    Owed& entry = owed(i);
    if (entry.task == &task) cancel(entry);
  }
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

Area::Take Area::take(TurnBudget& budget, Taken& into) {
  if (lie_ != Lie::none) return Take::lie;
  while (!receiving_) {
    if (answered_ == taken_) {
      const std::uint32_t answered = worker_.answered.load(std::memory_order_acquire);
      const std::optional<std::uint32_t> pending = ring_pending(answered, taken_);
      if (pending == 0U) return Take::nothing;
      if (!pending) return tell(Lie::index);
      answered_ = answered;
    }
    if (unanswered() == 0) return tell(Lie::index);
    if (!begin()) return Take::lie;
  }
  // Another area may have spent it while this one was in the middle of an answer.
  if (budget.spent()) return Take::later;
  // What nobody wants need not be copied.
  if (owed(0).task == nullptr) {
    into.result.reset();
  } else {
    const Take got = receive(budget, empty_output(into.result).bytes);
    if (got != Take::answer) return got;
  }
  --budget.answers;
  return finish(into);
}

Area::Take Area::tell(Lie lie) {
  lie_ = lie;
  stop_receiving();
  return Take::lie;
}

void Area::stop_receiving() {
  receiving_ = false;
  if (!received_.empty()) received_ = std::string();
}

// An answer that ends its task, or a larger output granted. False: a lie.
inline bool Area::begin() {
  const Asked& asked = owed(0).asked;
  prefetch_next();
  read_once(worker_.answers[ring_place(taken_)], answer_);
  if (const Lie lie = judge(answer_, asked); lie != Lie::none) {
    tell(lie);
    return false;
  }
  if (answer_.kind == static_cast<std::uint32_t>(AnswerKind::need_output)) {
    grant_large();
    ++taken_;
    return true;
  }
  receiving_ = true;
  scanned_ = 0;
  if ((asked.flags & encode_for_line) != 0) scan_ = {};
  return true;
}

// Where the answers and the results of the next tasks will be read from.
inline void Area::prefetch_next() {
  if (unanswered() <= prefetch_tasks) return;
  prefetch_to_read(&worker_.answers[ring_place(taken_ + prefetch_tasks)],
                   offsetof(Answer, media_type));
  prefetch_to_read(answers_.all().data() + owed(prefetch_tasks).asked.grant_offset,
                   cache_line_bytes);
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

// Most results fit in what the turn may spend, and are copied once, to where they stay.
inline Area::Take Area::receive(TurnBudget& budget, std::string& bytes) {
  if (!received_.empty()) bytes = std::exchange(received_, {});
  const bool whole = copy_piece(budget, bytes) && scan_piece(budget, bytes);
  if (lie_ != Lie::none) return Take::lie;
  if (whole) return Take::answer;
  received_ = std::move(bytes);
  return Take::later;
}

inline bool Area::copy_piece(TurnBudget& budget, std::string& bytes) {
  const std::uint64_t left = answer_.bytes - bytes.size();
  const std::uint64_t piece = std::min(left, budget.copy_bytes);
  const auto span = answers_.span(answer_.offset + bytes.size(), piece);
  if (!span) {
    tell(Lie::span);
    return false;
  }
  if (piece < left) bytes.reserve(answer_.bytes);
  bytes.append(text(*span));
  budget.copy_bytes -= piece;
  return piece == left;
}

inline bool Area::scan_piece(TurnBudget& budget, std::string_view bytes) {
  const bool done = answer_.kind == static_cast<std::uint32_t>(AnswerKind::done);
  if (!done || (owed(0).asked.flags & encode_for_line) == 0) return true;
  const std::uint64_t left = bytes.size() - scanned_;
  const std::uint64_t piece = std::min(left, budget.scan_bytes);
  const bool good = scan_.feed(bytes.substr(scanned_, piece));
  scanned_ += piece;
  budget.scan_bytes -= piece;
  if (!good || (piece == left && !scan_.finish())) {
    tell(Lie::line);
    return false;
  }
  return piece == left;
}

inline Area::Take Area::finish(Taken& into) {
  into.owed = owed(0);
  into.is_last = answer_.is_last != 0;
  into.processed = std::chrono::nanoseconds(
      std::min<std::uint64_t>(answer_.process_ns, std::numeric_limits<std::int64_t>::max()));
  if (into.result && answer_.kind == static_cast<std::uint32_t>(AnswerKind::failed)) {
    config::Result<JobOutput>& output = into.result->output;
    const std::string_view said = output->bytes;
    if (!simdjson::validate_utf8(said)) return tell(Lie::text);
    config::Error error(static_cast<config::ErrorCode>(answer_.error_code),
                        std::string(said.substr(answer_.field_bytes)),
                        std::string(said.substr(0, answer_.field_bytes)));
    error.stage = "process";
    output = std::move(error);
  } else if (into.result) {
    JobOutput& output = *into.result->output;
    output.kind = static_cast<ResultKind>(answer_.result_kind);
    if (answer_.media_type_bytes > 0)
      output.media_type.assign(answer_.media_type, answer_.media_type_bytes);
    if ((into.owed.asked.flags & (hash_result | hash_input)) != 0)
      output.hash = std::array{answer_.hash[0], answer_.hash[1]};
  }
  stop_receiving();
  ++owed_begin_;
  ++taken_;
  free_small_outputs_[unanswered()] = into.owed.small_output;
  return Take::answer;
}

bool Area::may_sleep() {
  return !want_ring(loop_, worker_, taken_);
}

}  // namespace fetchmill::workers
