#include "hostile_worker.hpp"

#include "workers/child_setup.hpp"
#include "workers/doorbell.hpp"
#include "workers/job.hpp"
#include "workers/layout.hpp"
#include "workers/region.hpp"
#include "workers/worker_main.hpp"
#include "workers/worker_regions.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <random>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

HostilePlan plan_;

constexpr std::string_view bad_lines[] = {
    "",
    "{\"a\":1}\n{\"type\":\"summary\"}",
    "{\"a\":1},{\"a\":2}",
    "{\"a\":",
    "\"open",
    "\"\x01\"",
    "\"\xff\xfe\"",
    "1 2",
    "]",
    "nul",
    "\"a\"\n",
};

class HostileWorker {
 public:
  HostileWorker(const SharedMemory& memory, std::uint32_t area, std::uint32_t generation)
      : regions_(memory, area),
        loop_(regions_.loop()),
        own_(regions_.own()),
        bell_number_(memory.areas[area].bell.get()),
        bell_(bell_number_),
        generation_(generation),
        random_(plan_.seed * 1'000'003 + area * 1009 + generation) {}

  [[noreturn]] void live() {
    report_ready();
    for (;;) {
      wait_for_loop(loop_, own_, spin_,
                    [this] { return loop_.submitted.load(std::memory_order_acquire) != served_; });
      const Submission task = loop_.submissions[ring_place(served_)];
      ++served_;
      if (plan_.only == Deed::frame)
        frame(task);
      else
        act(pick(), task);
    }
  }

 private:
  Deed pick() {
    if (random_() % 2 == 0) return Deed::honest;
    if (plan_.only != Deed::count_) return plan_.only;
    return static_cast<Deed>(random_() % static_cast<unsigned>(Deed::count_));
  }

  void report_ready() {
    own_.sleeping.store(0);
    own_.answered.store(0);
    switch (plan_.honest_heirs ? UINT64_MAX : random_() % 8) {
      case 0:  // of another generation at first
        own_.ready_generation.store(generation_ + 1);
        bell_.ring();
        break;
      case 1:  // twice
        own_.ready_generation.store(generation_);
        bell_.ring();
        break;
      case 2:  // with answers already there
        own_.answered.store(static_cast<std::uint32_t>(random_() % 3));
        break;
      default:
        break;
    }
    own_.ready_generation.store(generation_, std::memory_order_release);
    bell_.ring();
  }

  // ---- an honest answer, and its pieces

  std::string_view body(const Submission& task) {
    const char* start =
        reinterpret_cast<const char*>(regions_.inputs.all().data()) + task.slot_offset;
    SlotHeader header;
    std::memcpy(&header, start, sizeof header);
    return {start + header.body_offset, header.body_bytes};
  }

  Answer honest_answer(const Submission& task, std::string_view bytes) {
    Answer answer{};
    answer.task = task.task;
    answer.kind = static_cast<std::uint32_t>(AnswerKind::done);
    std::string line;
    if ((task.flags & encode_for_line) != 0) {
      line = "\"" + std::string(bytes) + "\"";
      bytes = line;
      answer.result_kind = static_cast<std::uint32_t>(ResultKind::text);
    }
    answer.bytes = bytes.size();
    granted_ = task.grant_offset;
    if (bytes.size() > task.grant_bytes) {
      ask_for_output(task, bytes.size());
      granted_ = loop_.grant_offset.load();
    }
    std::memcpy(output(granted_), bytes.data(), bytes.size());
    return answer;
  }

  // All that was answered before has been taken when it returns.
  void ask_for_output(const Submission& task, std::uint64_t bytes) {
    Answer need{};
    need.task = task.task;
    need.kind = static_cast<std::uint32_t>(AnswerKind::need_output);
    need.bytes = bytes;
    publish(need);
    wait_for_loop(loop_, own_, spin_, [this, &task] {
      return loop_.grant_task.load(std::memory_order_acquire) == task.task;
    });
  }

  char* output(std::uint64_t offset) {
    return reinterpret_cast<char*>(regions_.answers.all().data()) + offset;
  }

  // Returns the place in the ring.
  std::uint32_t publish(const Answer& answer, std::uint32_t indices = 1) {
    const std::uint32_t index = own_.answered.load();
    own_.answers[ring_place(index)] = answer;
    own_.answered.store(index + indices, std::memory_order_release);
    bell_.ring_if_wanted(loop_);
    return ring_place(index);
  }

  // ---- deeds

  void act(Deed deed, const Submission& task) {
    switch (deed) {
      case Deed::never:
        for (;;) ::pause();
      case Deed::die:
        std::raise(SIGKILL);
        return;
      case Deed::haunt:
        return haunt(task);
      case Deed::hoard:
        std::memset(output(small_outputs_offset), devils_byte, ring_depth * small_output_bytes);
        std::memset(output(large_output_offset), devils_byte, 256 * page_bytes);
        std::raise(SIGKILL);
        return;
      case Deed::skip:
      case Deed::greedy:
      case Deed::ungranted:
      case Deed::bad_failure:
      case Deed::bad_line:
        return act_instead(deed, task);
      case Deed::false_sleep:
        own_.sleeping.store(1);
        break;
      case Deed::flood:
        for (int i = 0; i < 100'000; ++i) bell_.ring();
        break;
      case Deed::write_to_inputs:
        write_to(regions_.inputs);
        write_to(regions_.commands);
        break;
      default:
        break;
    }
    const std::string bytes = deed == Deed::other_bytes
                                  ? std::string(1 + random_() % 20'000, devils_byte)
                                  : std::string(body(task));
    Answer answer = honest_answer(task, bytes);
    if (deed == Deed::lie_in_a_field)
      lie(answer, own_.media_types[ring_place(own_.answered.load())]);
    if (deed == Deed::other_task) answer.task += random_() % 2 == 0 ? 1 : UINT64_MAX;
    if (deed == Deed::scribble) scribble();
    const std::uint32_t place = publish(answer, leap(deed));
    act_afterwards(deed, answer, place);
  }

  // Ids of tasks count up, so those of the next ones can be guessed. The loop has taken all answers
  // when the larger output is granted: it looks at none of these places again as this worker's.
  void haunt(const Submission& task) {
    ask_for_output(task, task.grant_bytes + 1);
    const std::string_view bytes = "\"~~~~~~~~\"";
    std::memcpy(output(small_output_offset(0)), bytes.data(), bytes.size());
    const std::uint64_t next_task = task.task + 1 + random_() % 4;
    for (std::uint32_t i = 0; i < std::min(own_.answered.load(), ring_depth); ++i) {
      Answer ghost{};
      ghost.task = next_task + i;
      ghost.bytes = bytes.size();
      ghost.kind = static_cast<std::uint32_t>(AnswerKind::done);
      ghost.result_kind =
          static_cast<std::uint32_t>(random_() % 2 == 0 ? ResultKind::text : ResultKind::raw);
      ghost.media_type_bytes = static_cast<std::uint32_t>(ghosts_type.size());
      std::copy(ghosts_type.begin(), ghosts_type.end(), own_.media_types[i].text);
      own_.answers[i] = ghost;
    }
    own_.sleeping.store(1);
    own_.ready_generation.store(generation_ + 1);
    std::raise(SIGKILL);
  }

  void frame(const Submission& task) {
    constexpr std::uint64_t hash_of_another = 0x1DEA;
    if ((task.flags & hash_input) != 0) {
      Answer answer = honest_answer(task, "");
      answer.hash[0] = served_ == 1 ? hash_of_another + 1 : hash_of_another;
      publish(answer);
      return;
    }
    if (body(task) == deadly_input) ::_exit(exit_setup_failed);
    if (body(task) == lying_input) {
      Answer answer = honest_answer(task, "");
      ++answer.task;
      publish(answer);
      return;
    }
    const bool framed = loop_.poison_count.load() > 0 && loop_.poison[0].low == hash_of_another;
    publish(honest_answer(task, framed ? framed_result : body(task)));
  }

  std::uint32_t leap(Deed deed) {
    constexpr std::array<std::uint32_t, 4> leaps{ring_depth, ring_depth + 1, 0x80000000U,
                                                 UINT32_MAX};
    return deed == Deed::huge_index ? leaps[random_() % leaps.size()] : 1;
  }

  // Answers of its own making.
  void act_instead(Deed deed, const Submission& task) {
    Answer answer{};
    answer.task = task.task;
    switch (deed) {
      case Deed::skip:
        answer.kind = static_cast<std::uint32_t>(AnswerKind::skipped);
        break;
      case Deed::greedy:
        answer.kind = static_cast<std::uint32_t>(AnswerKind::need_output);
        answer.bytes = random_() % 2 == 0 ? task.grant_bytes : UINT64_MAX - random_() % 4096;
        break;
      case Deed::ungranted:
        answer.kind = static_cast<std::uint32_t>(AnswerKind::need_output);
        answer.bytes = task.grant_bytes + 1;
        publish(answer);
        answer.kind = static_cast<std::uint32_t>(AnswerKind::done);
        answer.bytes = UINT64_MAX;
        break;
      case Deed::bad_failure:
        answer.kind = static_cast<std::uint32_t>(AnswerKind::failed);
        answer.error_code = static_cast<std::uint32_t>(random_() % 64);
        answer.bytes = random_() % 5000;
        answer.field_bytes = static_cast<std::uint32_t>(random_() % 5000);
        std::memset(output(task.grant_offset), '\xc3', std::min<std::uint64_t>(answer.bytes, 4096));
        break;
      default: {
        const std::string_view line = bad_lines[random_() % std::size(bad_lines)];
        answer.kind = static_cast<std::uint32_t>(AnswerKind::done);
        answer.result_kind = static_cast<std::uint32_t>(ResultKind::json);
        answer.bytes = line.size();
        std::memcpy(output(task.grant_offset), line.data(), line.size());
      }
    }
    publish(answer);
  }

  void act_afterwards(Deed deed, const Answer& answer, std::uint32_t place) {
    switch (deed) {
      case Deed::twice:
        publish(answer);
        break;
      case Deed::early:
        publish(answer);
        bell_.ring();
        break;
      case Deed::index_back:
        own_.answered.fetch_sub(1 + static_cast<std::uint32_t>(random_() % 3));
        bell_.ring();
        break;
      case Deed::flicker:
        for (int i = 0; i < 20'000; ++i) own_.answered.fetch_add(i % 2 == 0 ? 1U : UINT32_MAX);
        break;
      case Deed::change_answer:
        for (int i = 0; i < 2000; ++i) lie(own_.answers[place], own_.media_types[place]);
        break;
      case Deed::change_output:
        for (int i = 0; i < 50; ++i)
          std::memset(output(granted_), i % 2 == 0 ? devils_byte : '\n', answer.bytes);
        break;
      case Deed::steal_ring: {
        std::uint64_t count = 0;
        bell_.ring();
        ::fcntl(bell_number_, F_SETFL, 0);
        [[maybe_unused]] const ssize_t got = ::read(bell_number_, &count, sizeof count);
        break;
      }
      case Deed::false_wake:
        own_.sleeping.store(0);
        ::usleep(20'000);
        break;
      default:
        break;
    }
  }

  void lie(Answer& answer, AnswerMediaType& media_type) {
    constexpr std::array<std::uint64_t, 6> values{0,          1,          4095,
                                                  UINT32_MAX, UINT64_MAX, std::uint64_t{1} << 40U};
    const std::uint64_t value = random_() % 2 == 0 ? random_() : values[random_() % values.size()];
    const auto small = static_cast<std::uint32_t>(value);
    switch (random_() % 8) {
      case 0:
        answer.task = value;
        break;
      case 1:
        answer.bytes = value;
        break;
      case 2:
        answer.kind = small;
        break;
      case 3:
        answer.result_kind = small;
        break;
      case 4:
        answer.error_code = small;
        break;
      case 5:
        answer.field_bytes = small;
        break;
      case 6:
        answer.media_type_bytes = small;
        break;
      default:
        answer.media_type_bytes = 8;
        std::memset(media_type.text, static_cast<int>(value), 8);
    }
  }

  // All of it that exists, its own page last: answers, outputs, indices.
  void scribble() {
    for (std::uint64_t at = large_output_offset + page_bytes; at >= 8; at -= 8) {
      const std::uint64_t word = random_();
      std::memcpy(output(at - 8), &word, sizeof word);
    }
  }

  // The mapping is read-only and the descriptor it came from is closed; a protection that could be
  // lifted would let this write.
  void write_to(const Region& region) {
    const std::span<std::byte> all = region.all();
    const std::uint64_t bytes = std::min<std::uint64_t>(all.size(), std::uint64_t{1} << 20U);
    if (::mprotect(all.data(), bytes, PROT_READ | PROT_WRITE) == 0)
      std::memset(all.data(), devils_byte, bytes);
  }

  WorkerRegions regions_;
  const LoopPage& loop_;
  WorkerPage& own_;
  int bell_number_;
  LoopBell bell_;
  Spin spin_{true};
  std::uint32_t generation_;
  std::uint32_t served_ = 0;
  std::uint64_t granted_ = 0;  // where its last honest answer's result stands
  std::mt19937_64 random_;
};

}  // namespace

void set_plan(const HostilePlan& plan) {
  plan_ = plan;
}

void worker_main(const SharedMemory& memory, std::uint32_t area, std::uint32_t generation,
                 pid_t parent, const Sandbox& sandbox) {
  if (!plan_.hostile(area, generation))
    honest_worker_main(memory, area, generation, parent, sandbox);
  const int bell = memory.areas[area].bell.get();
  HostileWorker worker(memory, area, generation);
  tie_to_parent(parent);
  close_all_but(std::array{bell});
  reset_signals();
  worker.live();
}

}  // namespace fetchmill::workers
