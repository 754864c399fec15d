// The loop's side of one area: puts tasks into the submission ring, takes answers out of the answer
// ring, and keeps the books about what the worker owes. Knows nothing of processes or sockets.
//
// Owner: the supervisor, one per area, for the pool's life. Process: loop. Bytes: one take() copies
// and scans no more than its budget. Trust: all it reads of the answers is hostile; it is copied
// once and the copy is judged. What it finds wrong it says (Take::lie) and touches no more.
#pragma once

#include "config/error.hpp"
#include "workers/answer.hpp"
#include "workers/job.hpp"
#include "workers/json/json_value_scan.hpp"
#include "workers/layout.hpp"
#include "workers/poison.hpp"
#include "workers/prefetch.hpp"
#include "workers/region.hpp"
#include "workers/ring.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>

namespace fetchmill::workers {

// What one turn of the loop may spend before it yields. Of answers: before it gives the workers
// more to do.
struct TurnBudget {
  static constexpr std::uint32_t answers_max = 64;

  std::uint64_t copy_bytes = 256 * 1024;
  std::uint64_t scan_bytes = 64 * 1024;
  std::uint32_t answers = answers_max;

  bool spent() const { return copy_bytes == 0 || scan_bytes == 0 || answers == 0; }
};

// A submission the worker has not answered. `task` is the pool's, null once nobody wants the
// answer.
struct alignas(cache_line_bytes) Owed {
  Asked asked;
  Task* task = nullptr;
  std::uint32_t slot = 0;
  std::uint32_t small_output = 0;
  std::chrono::nanoseconds expected{0};
};
static_assert(sizeof(Owed) == cache_line_bytes);

class Area {
 public:
  struct Order {
    std::uint64_t id = 0;  // never used before
    Task* task = nullptr;
    std::uint32_t slot = 0;
    std::uint64_t slot_offset = 0;
    std::uint64_t slot_bytes = 0;
    std::uint64_t result_bytes_max = 0;
    std::uint32_t flags = 0;
    std::chrono::nanoseconds expected{0};
  };
  struct Taken {
    const Owed* owed = nullptr;  // until the next submit() or take()
    // Its output only, the rest is the pool's to say. Of what nobody wants (Owed::task) it says
    // nothing. What is here when the next answer is taken is written over.
    JobResult result;
    std::uint64_t process_ns = 0;  // as it says
    bool is_last = false;          // of this worker, if it is to be believed
  };
  enum class Take : std::uint8_t {
    nothing,  // no answer is there
    later,    // the turn's budget is spent: go on in the next
    answer,
    lie,  // lie() says which
  };

  Area(Region commands, Region answers, std::uint64_t result_bytes_max);

  // Makes it ready for a new worker, whose generation this is. Requires: the last one is dead.
  void open(std::uint32_t generation);
  // Whether that worker has reported for work.
  bool ready() const;

  std::uint32_t unanswered() const { return owed_end_ - owed_begin_; }
  // Requires: unanswered() < ring_depth.
  // Returns what finds its place again (place_of).
  std::uint32_t submit(const Order& order);
  // Shows the worker what was submitted, and wakes it if it sleeps: true. Requires: ready(); what
  // an earlier worker left behind would be taken for its sleep.
  bool publish();
  // Marks it; its answer, if one comes, will be nobody's.
  void cancel(Owed& entry);

  // What submissions with check_poison are compared with; at most poison_list_max.
  void publish_poison(std::span<const PoisonList::Entry> entries);

  [[gnu::always_inline]] Take take(TurnBudget& budget, Taken& into);
  bool receiving() const { return receiving_; }
  Lie lie() const { return lie_; }
  // Whether its large output may have pages. Until the spawner gave them back.
  bool large_output_used() const { return large_output_used_; }
  void large_output_given_back() { large_output_used_ = false; }
  // Asks for a ring at the next answer; false when one is already there.
  bool may_sleep();

  // The oldest first, which is the one that runs. Requires: place < unanswered().
  Owed& owed(std::uint32_t place) { return owed_[ring_place(owed_begin_ + place)]; }
  const Owed& owed(std::uint32_t place) const { return owed_[ring_place(owed_begin_ + place)]; }
  // `index` is what submit() said of it. Requires: it is unanswered.
  std::uint32_t place_of(std::uint32_t index) const { return index - owed_begin_; }
  // Forgets all it owes.
  void forget() {
    owed_begin_ = owed_end_;
    answered_ = taken_;
  }

 private:
  // What a tiny result takes.
  void prefetch_next();
  bool is_plain(const Owed& answered) const;
  static JobOutput& empty(config::Result<JobOutput>& result);
  Take copy(std::uint64_t offset, std::uint64_t bytes, TurnBudget& budget, std::string& into);
  Take finish(const Owed& answered, TurnBudget& budget, Taken& into);
  // What most tiny results do without, and so out of line: it takes more of the stack.
  Take look();
  Take tell(Lie lie);
  void begin();
  void grant_large();
  Take go_on(TurnBudget& budget, Taken& into);
  Take receive(const Asked& asked, TurnBudget& budget, config::Result<JobOutput>& result);
  Take receive_piece(const Asked& asked, TurnBudget& budget, std::string& bytes);
  Take scan_piece(TurnBudget& budget, std::string_view bytes);
  Take describe(const Asked& asked, JobOutput& output);
  Take describe_failed(config::Result<JobOutput>& result);
  Take copy_media_type(std::string& media_type);
  void forget_received();
  static void make_anew(config::Result<JobOutput>& result);

  Region commands_;
  Region answers_;
  LoopPage& loop_;
  const WorkerPage& worker_;
  std::uint64_t result_bytes_max_;
  std::array<Owed, ring_depth> owed_{};  // each at its submission's place in the ring
  // From unanswered() on: those that no unanswered task has; the next one first.
  std::array<std::uint32_t, ring_depth> free_small_outputs_{};
  std::uint32_t owed_begin_ = 0;
  std::uint32_t owed_end_ = 0;
  // Up to here answers were asked for and are there, by WorkerPage::answered when it was last
  // looked at: a line not ours.
  std::uint32_t answered_ = 0;
  std::uint32_t taken_ = 0;
  std::uint32_t rung_for_ = 0;  // the worker's sleep
  std::uint32_t generation_ = 0;
  bool receiving_ = false;
  Answer answer_{};       // that is being received: the copy that was judged
  std::string received_;  // of a result that takes more than a turn, so far
  std::uint64_t scanned_ = 0;
  json::JsonValueScan scan_;
  bool large_output_used_ = false;
  Lie lie_ = Lie::none;
};

// ---- inline, for thousands of tiny tasks at once

// So an order is written to where it stays, and nowhere before.
[[gnu::always_inline]] inline std::uint32_t Area::submit(const Order& order) {
  const std::uint32_t small_output = free_small_outputs_[unanswered()];
  const std::uint32_t index = owed_end_++;
  const std::uint64_t grant_offset = small_output_offset(small_output);
  const std::uint64_t result_bytes_max = std::min(order.result_bytes_max, result_bytes_max_);
  owed_[ring_place(index)] = {.asked = {.task = order.id,
                                        .grant_offset = grant_offset,
                                        .grant_bytes = small_output_bytes,
                                        .result_bytes_max = result_bytes_max,
                                        .flags = order.flags},
                              .task = order.task,
                              .slot = order.slot,
                              .small_output = small_output,
                              .expected = order.expected};
  Submission& out = loop_.submissions[ring_place(index)];
  prefetch_to_write(&loop_.submissions[ring_place(index + prefetch_tasks)], sizeof out);
  out.task = order.id;
  out.slot_offset = order.slot_offset;
  out.slot_bytes = order.slot_bytes;
  out.grant_offset = grant_offset;
  out.grant_bytes = small_output_bytes;
  out.result_bytes_max = result_bytes_max;
  out.flags = order.flags;
  return index;
}

inline Area::Take Area::take(TurnBudget& budget, Taken& into) {
  while (!receiving_) {
    if (answered_ == taken_)
      if (const Take found = look(); found != Take::answer) return found;
    prefetch_next();
    read_once(worker_.answers[ring_place(taken_)], answer_);
    const Owed& answered = owed(0);
    if (const Lie lie = judge(answer_, answered.asked); lie != Lie::none) return tell(lie);
    if (is_plain(answered) && budget.answers > 0 && answer_.bytes <= budget.copy_bytes) {
      std::string& bytes = empty(into.result.output).bytes;
      const Take got = copy(answered.asked.grant_offset, answer_.bytes, budget, bytes);
      return got == Take::answer ? finish(answered, budget, into) : got;
    }
    begin();
  }
  return go_on(budget, into);
}

// Where an answer that is there already, and its result, will be read from.
inline void Area::prefetch_next() {
  if (answered_ - taken_ <= prefetch_tasks) return;
  prefetch_to_read(&worker_.answers[ring_place(taken_ + prefetch_tasks)], sizeof(Answer));
  prefetch_to_read(answers_.all().data() + owed(prefetch_tasks).asked.grant_offset,
                   cache_line_bytes);
}

// Whether the result is wanted, and nothing is to be said of it but its bytes.
inline bool Area::is_plain(const Owed& answered) const {
  return answered.task != nullptr &&
         (answered.asked.flags & (encode_for_line | hash_result | hash_input)) == 0 &&
         answer_.kind == static_cast<std::uint32_t>(AnswerKind::done) &&
         answer_.media_type_bytes == 0;
}

// What the last answer left is used again: to make it anew takes longer than to copy a tiny result.
inline JobOutput& Area::empty(config::Result<JobOutput>& result) {
  // An error, or a result that nobody took.
  if (!result || result->bytes.capacity() > small_output_bytes) make_anew(result);
  JobOutput& output = *result;
  output.bytes.clear();
  output.kind = ResultKind::raw;
  output.media_type.clear();
  output.hash.reset();
  return output;
}

inline Area::Take Area::copy(std::uint64_t offset, std::uint64_t bytes, TurnBudget& budget,
                             std::string& into) {
  const auto span = answers_.span(offset, bytes);
  if (!span) return tell(Lie::span);
  into.append(reinterpret_cast<const char*>(span->data()), bytes);
  budget.copy_bytes -= bytes;
  return Take::answer;
}

inline Area::Take Area::finish(const Owed& answered, TurnBudget& budget, Taken& into) {
  --budget.answers;
  into.owed = &answered;
  into.process_ns = answer_.process_ns;
  into.is_last = answer_.is_last != 0;
  ++owed_begin_;
  ++taken_;
  free_small_outputs_[unanswered()] = answered.small_output;
  return Take::answer;
}

}  // namespace fetchmill::workers
