// The loop's side (workers/area.cpp) and the worker's (workers/worker_main.cpp) of one area with
// their doorbells, as compiled for the product but for a ring of two places, in every order that
// the machine knows. Then the same with one thing broken at a time, each of which must be found.
#include "tests/model/machine.hpp"
#include "tests/model/runtime.hpp"
#include "workers/area.hpp"
#include "workers/child_setup.hpp"
#include "workers/doorbell.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/quick_clock.hpp"
#include "workers/worker_main.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <simdjson.h>

namespace fetchmill::workers {

// In place of what makes a process a worker.
void set_up_worker(pid_t, int, std::uint32_t, std::uint64_t, const Sandbox&) {}

// In place of the clock: time stands still, so that equal states look equal.
QuickClock::QuickClock() : has_counter_(false), set_ticks_(0) {}
QuickClock::Clock::time_point QuickClock::now() {
  return {};
}

namespace ops {

// In place of the ops: a body's first letter says what comes of it.
Runner::Runner() = default;
Runner::~Runner() = default;
config::Result<RunResult> Runner::run(std::string_view, const Input& input) {
  char body[8];
  std::memcpy(body, input.bytes.data(), sizeof body);
  if (body[0] == 'F') return config::Error(config::ErrorCode::processing_failed, {body + 1, 1});
  line_.assign(body[0] == 'L' ? small_output_bytes + 16 : 8, body[1]);
  return RunResult{line_, {}};
}
config::Result<void> Runner::compile(std::string_view) {
  return {};
}
LineValue Runner::encode_for_line(const RunResult&) {
  return {LineKind::json, {}};
}

}  // namespace ops

namespace {

using model::Machine;
using model::Mutation;
using model::Order;
using model::Verdict;

static_assert(ring_depth == 2, "the build gives this test a layout of its own");

constexpr std::uint64_t result_max = 128;
constexpr std::size_t commands_at = 0;
constexpr std::size_t answers_at = command_bytes;
constexpr std::size_t inputs_at = answers_at + small_outputs_offset + page_bytes;
constexpr std::size_t slot_stride = 128;
constexpr std::size_t shared_bytes = inputs_at + ring_depth * slot_stride;
static_assert(answer_bytes(result_max) >= small_outputs_offset);

struct Scenario {
  std::string_view name;
  std::string_view tasks;  // S small result, L large (asks for a larger output), F fails
  bool cancels = false;    // any one task, at any time
  bool dies = false;       // the worker, once, at any time
  bool quick = false;      // answers may wait for those that follow
  bool is_kept = false;    // what the dead worker left in its area, which is broken
};

constexpr Scenario scenarios[] = {
    {"one small", "S"},
    {"one large", "L"},
    {"one fails", "F"},
    {"round", "SSS"},
    {"cancelled", "SS", true},
    {"killed", "S", false, true},
    {"quick", "SSS", false, false, true},
};
// Minutes: for a change of the protocol.
constexpr Scenario larger_scenarios[] = {
    {"second killed", "SS", false, true},
    {"two rounds", "SSSS"},
    {"two large", "LL"},
    {"mixed", "LSF"},
    {"large cancelled", "LS", true},
    {"large killed", "LS", false, true},
    {"quick mixed", "SLS", false, false, true},
};

// What the bodies of the machine's threads work with.
const Scenario* scenario = nullptr;
Machine* machine = nullptr;
const SharedMemory* memory = nullptr;
alignas(page_bytes) std::byte shared[shared_bytes];

std::uint32_t generation = 0;

// Only passed on, to set_up_worker above.
alignas(Sandbox) std::byte no_sandbox[sizeof(Sandbox)];

void worker_body() {
  worker_main(*memory, 0, generation, 0, *reinterpret_cast<const Sandbox*>(no_sandbox));
}

// The loop: what pool and supervisor do with one area, without their books.
class LoopSide {
 public:
  LoopSide() : area_(map(memory->areas[0].commands), map(memory->areas[0].answers), result_max) {}

  void run() {
    hire();
    while (ended_ < scenario->tasks.size()) {
      const bool may_submit =
          ready_ && next_ < scenario->tasks.size() && area_.unanswered() < ring_depth;
      const bool may_cancel = scenario->cancels && !cancelled_ && area_.unanswered() > 0;
      const bool may_die = scenario->dies && !died_;
      // With something to publish the loop does not sleep.
      const bool awaits = !unpublished_ && (!ready_ || area_.unanswered() > 0);
      int event = machine->wait_event(may_submit + unpublished_ + may_cancel + may_die, awaits);
      if (event-- == 0)
        rang();
      else if (may_submit && event-- == 0)
        submit();
      else if (unpublished_ && event-- == 0)
        publish();
      else if (may_cancel && event-- == 0)
        cancel();
      else
        die();
    }
  }

 private:
  static Region map(const SharedFile& file) {
    return *Region::map(file.writable, file.bytes, Access::read_write);
  }
  // Never looked into by an Area.
  static Task* task(std::size_t number) { return reinterpret_cast<Task*>(16 * (number + 1)); }

  void hire() {
    area_.open(++generation);
    area_.may_sleep();
    if (!scenario->is_kept) forget_last_worker();
    machine->start_worker(worker_body);
  }

  // As the spawner does, which has the page to itself then. The rest of it may stay.
  static void forget_last_worker() {
    for (SharedWord* word : {&answers().ready_generation, &answers().sleeping, &answers().answered})
      machine->store(word, sizeof *word, 0, Order::relaxed);
  }

  // A worker that was taken over leaves what it likes, and nobody reads it before it is dead: that
  // its successor is ready, sleeps and has answered the next task.
  void haunt() {
    const char forged[8] = {};
    std::memcpy(shared + answers_at + small_output_offset(0), forged, sizeof forged);
    Answer answer{};
    answer.task = last_id_ + 1;
    answer.kind = static_cast<std::uint32_t>(AnswerKind::done);
    answer.bytes = sizeof forged;
    std::memcpy(&answers().answers[0], &answer, sizeof answer);
    machine->store(&answers().answered, sizeof(SharedWord), 1, Order::relaxed);
    machine->store(&answers().sleeping, sizeof(SharedWord), 1, Order::relaxed);
    machine->store(&answers().ready_generation, sizeof(SharedWord), generation + 1, Order::relaxed);
  }
  static WorkerPage& answers() { return *reinterpret_cast<WorkerPage*>(shared + answers_at); }

  void rang() {
    drain_bell(memory->areas[0].bell.get());
    if (!ready_ && area_.ready()) ready_ = true;
    if (ready_) take_answers(true);
  }

  void take_answers(bool lives) {
    for (bool looking = true; looking;) {
      TurnBudget budget;
      Area::Taken taken;
      switch (area_.unanswered() == 0 ? Area::Take::nothing : area_.take(budget, taken)) {
        case Area::Take::answer:
          check(taken);
          break;
        case Area::Take::nothing:
          if (!lives || area_.may_sleep())
            looking = false;
          else if (area_.unanswered() == 0)
            machine->violation("an answer to nothing");
          break;
        case Area::Take::later:
          break;
        case Area::Take::lie:
          machine->violation("the worker seems to lie:", to_string(area_.lie()));
      }
    }
  }

  // Each task's own answer, once, in order.
  void check(const Area::Taken& taken) {
    const bool unwanted = cancelled_ && ended_ == cancelled_task_;
    if (taken.owed->task != (unwanted ? nullptr : task(ended_)))
      machine->violation("an answer out of order");
    if (!unwanted && !right(taken.result.output)) machine->violation("a wrong answer");
    ++ended_;
  }
  bool right(const config::Result<JobOutput>& output) const {
    const char kind = scenario->tasks[ended_];
    if (kind == 'F') return !output && output.error().detail[0] == letter(ended_);
    const std::uint64_t bytes = kind == 'L' ? small_output_bytes + 16 : 8;
    return output && output->bytes.size() == bytes &&
           output->bytes.find_first_not_of(letter(ended_)) == std::string::npos;
  }
  static char letter(std::size_t number) { return static_cast<char>('a' + number); }

  // A slot is used again as soon as its task has ended.
  void submit() {
    const std::size_t number = next_++;
    const std::uint64_t offset = number % ring_depth * slot_stride;
    SlotHeader header{};
    header.body_offset = header.tail_offset = sizeof header;
    header.body_bytes = 8;
    const char body[8] = {scenario->tasks[number], letter(number)};
    std::memcpy(shared + inputs_at + offset, &header, sizeof header);
    std::memcpy(shared + inputs_at + offset + sizeof header, body, sizeof body);
    area_.submit({.id = ++last_id_,
                  .task = task(number),
                  .slot_offset = offset,
                  .slot_bytes = slot_stride,
                  .result_bytes_max = result_max,
                  .flags = scenario->quick ? std::uint32_t{quick} : 0});
    unpublished_ = true;
    if (!scenario->quick) publish();
  }

  // At the end of the turn for quick tasks, and whatever else the turn did is before it.
  void publish() {
    unpublished_ = false;
    area_.publish();
  }

  void cancel() {
    const auto which = static_cast<std::size_t>(machine->choose(static_cast<int>(next_ - ended_)));
    cancelled_task_ = ended_ + which;
    cancelled_ = true;
    area_.cancel(area_.owed(static_cast<std::uint32_t>(which)));
  }

  // What it completed counts, the rest is done by the next worker.
  void die() {
    machine->kill_worker();
    died_ = true;
    if (ready_) take_answers(false);
    area_.forget();
    next_ = ended_;
    ready_ = unpublished_ = false;
    if (ended_ == scenario->tasks.size()) return;
    if (machine->choose(2) == 1) haunt();
    hire();
  }

  Area area_;
  bool unpublished_ = false;
  std::uint64_t last_id_ = 0;
  std::size_t next_ = 0;   // to be submitted
  std::size_t ended_ = 0;  // answered
  std::size_t cancelled_task_ = 0;
  bool ready_ = false;
  bool cancelled_ = false;
  bool died_ = false;
};

void loop_body() {
  generation = 0;
  LoopSide().run();
}

class RingModel : public testing::Test {
 protected:
  RingModel() : machine_({shared, shared_bytes}) {
    const auto file = [](std::uint64_t bytes) {
      SharedFile made;
      made.writable = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      made.readable = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      made.bytes = bytes;
      return made;
    };
    memory_.inputs = file(ring_depth * slot_stride);
    memory_.areas.push_back({file(command_bytes), file(answer_bytes(result_max)), Fd()});
    memory_.may_spin = false;
    const AreaFiles& area = memory_.areas[0];
    model::set_mappings({{{memory_.inputs.readable.get(), shared + inputs_at},
                          {area.commands.writable.get(), shared + commands_at},
                          {area.commands.readable.get(), shared + commands_at},
                          {area.answers.writable.get(), shared + answers_at}}});
    name_fields();
    // Chooses its implementation once, which must not happen on a thread of the machine.
    EXPECT_TRUE(simdjson::validate_utf8("a", 1));
    memory = &memory_;
    machine = &machine_;
  }

  void name_fields() {
    const auto loop_field = [this](std::size_t at, std::size_t bytes, std::string_view name) {
      machine_.name(commands_at + at, bytes, name);
    };
    const auto worker_field = [this](std::size_t at, std::size_t bytes, std::string_view name) {
      machine_.name(answers_at + at, bytes, name);
    };
#define MODEL_FIELD(page, name) offsetof(page, name), sizeof(page::name), #name
    loop_field(MODEL_FIELD(LoopPage, generation));
    loop_field(MODEL_FIELD(LoopPage, doorbell));
    loop_field(MODEL_FIELD(LoopPage, submitted));
    loop_field(MODEL_FIELD(LoopPage, wake_wanted));
    loop_field(MODEL_FIELD(LoopPage, grant_task));
    loop_field(MODEL_FIELD(LoopPage, grant_offset));
    loop_field(MODEL_FIELD(LoopPage, cancelled));
    loop_field(MODEL_FIELD(LoopPage, submissions));
    worker_field(MODEL_FIELD(WorkerPage, ready_generation));
    worker_field(MODEL_FIELD(WorkerPage, sleeping));
    worker_field(MODEL_FIELD(WorkerPage, answered));
    worker_field(MODEL_FIELD(WorkerPage, answers));
#undef MODEL_FIELD
    worker_field(small_outputs_offset, ring_depth * small_output_bytes, "small output");
    worker_field(large_output_offset, result_max, "large output");
    machine_.name(inputs_at, ring_depth * slot_stride, "slot");
  }

  Verdict explore(const Scenario& which, const Mutation& mutation) {
    scenario = &which;
    return machine_.explore(mutation, loop_body, states_max);
  }

  void holds(std::span<const Scenario> all) {
    for (const Scenario& which : all) {
      const Verdict verdict = explore(which, {});
      EXPECT_EQ(verdict.violation, "") << which.name;
      EXPECT_TRUE(verdict.complete) << which.name;
      EXPECT_GT(verdict.states, 500U) << which.name;
      std::printf("%-16s %9" PRIu64 " states %9" PRIu64 " runs\n", which.name.data(),
                  verdict.states, verdict.runs);
    }
  }
  bool finds(std::span<const Scenario> all, const Mutation& mutation) {
    return std::any_of(all.begin(), all.end(), [&](const Scenario& which) {
      return !explore(which, mutation).violation.empty();
    });
  }

  static constexpr std::uint64_t states_max = 3'000'000;
  SharedMemory memory_;
  Machine machine_;
};

TEST_F(RingModel, HoldsInEveryOrder) {
  holds(scenarios);
}

TEST_F(RingModel, DISABLED_HoldsInEveryOrderOfMore) {
  holds(larger_scenarios);
}

using Kind = Mutation::Kind;
constexpr Mutation mutations[] = {
    {"the submission is not published", Kind::relax_store, "submitted"},
    {"the submission is not acquired", Kind::relax_load, "submitted"},
    {"the answer is not published", Kind::relax_store, "answered"},
    {"the answer is not acquired", Kind::relax_load, "answered"},
    {"the grant is not published", Kind::relax_store, "grant_task"},
    {"the grant is not acquired", Kind::relax_load, "grant_task"},
    {"no fence between submitting and looking whether the worker sleeps", Kind::drop_fence,
     "submitted"},
    {"no fence between granting and looking whether the worker sleeps", Kind::drop_fence,
     "grant_task"},
    {"no fence between going to sleep and looking for work", Kind::drop_fence, "sleeping"},
    {"no fence between answering and looking whether a ring is wanted", Kind::drop_fence,
     "answered"},
    {"no fence between wanting a ring and looking for answers", Kind::drop_fence, "wake_wanted"},
    {"a weaker fence after submitting", Kind::weaken_fence, "submitted"},
    {"a weaker fence after granting", Kind::weaken_fence, "grant_task"},
    {"a weaker fence before sleeping", Kind::weaken_fence, "sleeping"},
    {"a weaker fence after answering", Kind::weaken_fence, "answered"},
    {"a weaker fence after wanting a ring", Kind::weaken_fence, "wake_wanted"},
    {"work is looked for first, then sleep announced", Kind::late_store, "sleeping"},
    {"answers are looked for first, then a ring wanted", Kind::late_store, "wake_wanted"},
    {"the doorbell keeps its value", Kind::drop_store, "doorbell"},
    {"a ring is never wanted", Kind::drop_store, "wake_wanted"},
    {"the sleeper is not woken", Kind::drop_wake},
    {"the loop is not rung", Kind::drop_ring},
    {"the sleeper does not look at the doorbell again", Kind::blind_wait},
};

TEST_F(RingModel, FindsWhatIsBroken) {
  for (const Mutation& mutation : mutations)
    EXPECT_TRUE(finds(scenarios, mutation)) << mutation.name;
}

TEST_F(RingModel, FindsWhatADeadWorkerLeft) {
  const Verdict verdict =
      explore({.name = "kept", .tasks = "S", .dies = true, .is_kept = true}, {});
  EXPECT_NE(verdict.violation, "");
}

}  // namespace
}  // namespace fetchmill::workers
