#include "workers/worker_main.hpp"

#include "workers/child_setup.hpp"
#include "workers/content_decoder.hpp"
#include "workers/doorbell.hpp"
#include "workers/job.hpp"
#include "workers/layout.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/prefetch.hpp"
#include "workers/quick_clock.hpp"
#include "workers/result_too_large.hpp"
#include "workers/worker_regions.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#define XXH_INLINE_ALL
#include <simdjson.h>
#include <unistd.h>
#include <xxhash.h>

namespace fetchmill::workers {
namespace {

static_assert(pipeline_bytes_max == ops::pipeline_bytes_max);
static_assert(body_padding_bytes >= ops::input_padding_bytes);

using Clock = QuickClock::Clock;

// The longest that the answers to quick tasks wait for more of them: about what the loop takes to
// wake, so that it comes while the worker still has some to do.
constexpr std::chrono::microseconds tell_within{20};

ResultKind kind_of(ops::LineKind kind) {
  switch (kind) {
    case ops::LineKind::json:
      return ResultKind::json;
    case ops::LineKind::text:
      return ResultKind::text;
    case ops::LineKind::base64:
      break;
  }
  return ResultKind::base64;
}

// What the loop takes as a media type: printable ASCII that fits.
inline bool is_presentable(std::string_view media_type) {
  return media_type.size() <= sizeof(AnswerMediaType) &&
         std::ranges::all_of(media_type, [](char c) { return c >= ' ' && c <= '~'; });
}

// The media type, else without its parameters, else none.
inline std::string_view presentable(std::string_view media_type) {
  if (!is_presentable(media_type)) media_type = media_type.substr(0, media_type.find(';'));
  return is_presentable(media_type) ? media_type : std::string_view();
}

class Worker {
 public:
  Worker(const SharedMemory& memory, std::uint32_t area, std::uint32_t generation)
      : regions_(memory, area),
        loop_(regions_.loop()),
        own_(regions_.own()),
        bell_(memory.areas[area].bell.get()),
        spin_(memory.may_spin),
        generation_(generation) {}

  void report_ready() {
    own_.ready_generation.store(generation_, std::memory_order_release);
    bell_.ring();
  }

  // One ring tells of all answers to a run of quick tasks: a wake-up costs more than such a task.
  // The loop is told at once of what nothing follows, and before anything that may take long.
  [[noreturn]] void serve() {
    // The loop's line is read again only when what it said is done.
    std::uint32_t submitted = 0;
    const auto has_work = [this, &submitted] {
      if (submitted == served_) submitted = loop_.submitted.load(std::memory_order_acquire);
      return submitted != served_;
    };
    for (;;) {
      if (!has_work()) {
        tell_loop();
        wait_for_loop(loop_, own_, spin_, has_work);
        now_ = clock_.now();
      }
      if (submitted - served_ > prefetch_tasks) prefetch(served_ + prefetch_tasks);
      const std::uint32_t place = ring_place(served_);
      const Submission& task = loop_.submissions[place];
      if ((task.flags & quick) == 0) tell_loop();
      started_ = now_;
      const bool cancelled = loop_.cancelled[place].load(std::memory_order_relaxed) == task.task;
      if (cancelled)
        answer(task, {.kind = AnswerKind::skipped});
      else
        run(task);
      // The answer is out, and counts; what was handed over behind it runs elsewhere.
      if (runner_.wore_out_worker()) {
        tell_loop();
        ::_exit(exit_worn_out);
      }
      ++served_;
    }
  }

 private:
  // What the task of that index will read and write.
  void prefetch(std::uint32_t index) {
    const Submission& task = loop_.submissions[ring_place(index)];
    prefetch_to_read(regions_.inputs.all().data() + task.slot_offset, tiny_slot_bytes);
    prefetch_to_write(regions_.answers.all().data() + task.grant_offset, cache_line_bytes);
    prefetch_to_write(&own_.answers[ring_place(index)], sizeof(Answer));
  }

  struct Reply {
    AnswerKind kind = AnswerKind::done;
    std::uint64_t bytes = 0;
    ResultKind result_kind = ResultKind::raw;
    std::string_view media_type = {};
    config::ErrorCode error_code = config::ErrorCode::internal_error;
    std::uint64_t field_bytes = 0;
    XXH128_hash_t hash = {};
  };

  void run(const Submission& task) {
    try {
      run_pipeline(task);
    } catch (const std::bad_alloc&) {
      // What it holds is unclear now, so it ends; the loop runs the task once more elsewhere.
      ::_exit(exit_out_of_memory);
    }
  }

  void run_pipeline(const Submission& task) {
    const auto slot = regions_.inputs.span(task.slot_offset, task.slot_bytes);
    if (!slot) ::_exit(exit_setup_failed);
    const char* start = reinterpret_cast<const char*>(slot->data());
    const SlotHeader& header = *reinterpret_cast<const SlotHeader*>(start);
    const std::string_view pipeline(start + sizeof header, header.pipeline_bytes);
    const char* tail = start + header.tail_offset;
    ops::Input input{
        .bytes = {start + header.body_offset, header.body_bytes},
        .media_type = {tail, header.media_type_bytes},
        .final_url = {tail + header.media_type_bytes, header.final_url_bytes},
    };
    if ((task.flags & (hash_input | check_poison | compile_only | undo_coding)) != 0 &&
        !prepare(task, header, pipeline, input))
      return;
    const config::Result<ops::RunResult> result = runner_.run(pipeline, input);
    if (!result) return fail(task, result.error());

    if (result->bytes.size() > task.result_bytes_max)
      return fail(task, result_too_large(result->bytes.size(), task.result_bytes_max));
    if ((task.flags & (hash_result | encode_for_line)) != 0) return hash_and_encode(task, *result);
    finish(task, {.media_type = presentable(result->media_type)}, result->bytes);
  }

  // And finishes: what is hashed or becomes a part of a line.
  [[gnu::noinline]] void hash_and_encode(const Submission& task, const ops::RunResult& result) {
    Reply reply{.media_type = presentable(result.media_type)};
    std::string_view bytes = result.bytes;
    if ((task.flags & hash_result) != 0) reply.hash = XXH3_128bits(bytes.data(), bytes.size());
    if ((task.flags & encode_for_line) != 0) {
      const ops::LineValue line = runner_.encode_for_line(result);
      reply.result_kind = kind_of(line.kind);
      bytes = line.bytes;
    }
    finish(task, reply, bytes);
  }

  // What comes before the pipeline runs, of few tasks. False: that was all, and is answered.
  // Out of line, as all that few tasks need, so that the others keep their numbers in registers.
  [[gnu::noinline]] bool prepare(const Submission& task, const SlotHeader& header,
                                 std::string_view pipeline, ops::Input& input) {
    const auto failed = [&](const config::Error& error) { return fail(task, error), false; };
    const auto done = [&](const XXH128_hash_t& hash = {}) {
      return answer(task, {.hash = hash}), false;
    };
    if ((task.flags & (hash_input | check_poison)) != 0) {
      const XXH128_hash_t hash = hash_of(pipeline, input.bytes);
      if ((task.flags & hash_input) != 0) return done(hash);
      if (poisoned(hash))
        return failed(config::Error(config::ErrorCode::poisoned_input,
                                    "it ended several workers a short while ago"));
    }
    if ((task.flags & compile_only) != 0) {
      const config::Result<void> compiled = runner_.compile(pipeline);
      return compiled ? done() : failed(compiled.error());
    }
    if ((task.flags & undo_coding) != 0) {
      const config::Result<std::string_view> decoded = decoder_.decode(
          {static_cast<ContentCoding>(header.content_coding), header.decoded_bytes_max},
          input.bytes);
      if (!decoded) return failed(decoded.error());
      input.bytes = *decoded;
    }
    return true;
  }

  static XXH128_hash_t hash_of(std::string_view pipeline, std::string_view body) {
    return XXH3_128bits_withSeed(body.data(), body.size(),
                                 XXH3_64bits(pipeline.data(), pipeline.size()));
  }

  bool poisoned(const XXH128_hash_t& hash) const {
    const std::uint32_t count = loop_.poison_count.load(std::memory_order_relaxed);
    return std::any_of(loop_.poison, loop_.poison + std::min(count, poison_list_max),
                       [&](const PoisonMark& mark) {
                         return mark.low.load(std::memory_order_relaxed) == hash.low64 &&
                                mark.high.load(std::memory_order_relaxed) == hash.high64;
                       });
  }

  // Where an output of that size was granted.
  [[gnu::noinline]] std::uint64_t larger_output(const Submission& task, std::uint64_t bytes) {
    answer(task, {.kind = AnswerKind::need_output, .bytes = bytes});
    tell_loop();
    wait_for_loop(loop_, own_, spin_, [this, &task] {
      return loop_.grant_task.load(std::memory_order_acquire) == task.task;
    });
    return loop_.grant_offset.load(std::memory_order_relaxed);
  }

  // Into the granted output, or a larger one asked for.
  void finish(const Submission& task, Reply reply, std::string_view bytes) {
    const std::uint64_t offset =
        bytes.size() <= task.grant_bytes ? task.grant_offset : larger_output(task, bytes.size());
    const auto output = regions_.answers.writable_span(offset, bytes.size());
    if (!output) ::_exit(exit_setup_failed);
    std::memcpy(output->data(), bytes.data(), bytes.size());
    reply.bytes = bytes.size();
    answer(task, reply);
  }

  [[gnu::noinline]] void fail(const Submission& task, const config::Error& error) {
    std::string text = error.field + error.detail;
    text.resize(std::min<std::size_t>(text.size(), failure_text_bytes_max));
    // Details may quote the body, and a cut may fall into a character.
    if (!simdjson::validate_utf8(text))
      std::replace_if(
          text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; },
          '?');
    const auto output = regions_.answers.writable_span(task.grant_offset, text.size());
    if (!output) ::_exit(exit_setup_failed);
    std::memcpy(output->data(), text.data(), text.size());
    answer(task, {.kind = AnswerKind::failed,
                  .bytes = text.size(),
                  .error_code = error.code,
                  .field_bytes = std::min(error.field.size(), text.size())});
  }

  // There is always a place: at most ring_depth tasks are unanswered, and need_output, which adds
  // an answer, is taken before its task's second one is written.
  void answer(const Submission& task, const Reply& reply) {
    now_ = clock_.now();
    const std::uint32_t index = own_.answered.load(std::memory_order_relaxed);
    Answer& out = own_.answers[ring_place(index)];
    out.task = task.task;
    out.bytes = reply.bytes;
    // The clock may have been set meanwhile, and gone back.
    out.process_ns = static_cast<std::uint64_t>(std::max<Clock::rep>((now_ - started_).count(), 0));
    out.hash[0] = reply.hash.low64;
    out.hash[1] = reply.hash.high64;
    out.kind = static_cast<std::uint32_t>(reply.kind);
    out.result_kind = static_cast<std::uint32_t>(reply.result_kind);
    out.error_code = static_cast<std::uint32_t>(reply.error_code);
    out.field_bytes = static_cast<std::uint32_t>(reply.field_bytes);
    out.media_type_bytes = static_cast<std::uint32_t>(reply.media_type.size());
    out.is_last = runner_.wore_out_worker() ? 1 : 0;
    if (!reply.media_type.empty())
      std::copy(reply.media_type.begin(), reply.media_type.end(),
                own_.media_types[ring_place(index)].text);
    own_.answered.store(index + 1, std::memory_order_release);
    if (!std::exchange(untold_, true)) untold_since_ = now_;
    if (now_ - untold_since_ >= tell_within) tell_loop();
  }

  void tell_loop() {
    if (std::exchange(untold_, false)) bell_.ring_if_wanted(loop_);
  }

  WorkerRegions regions_;
  const LoopPage& loop_;
  WorkerPage& own_;
  LoopBell bell_;
  Spin spin_;
  ContentDecoder decoder_;
  ops::Runner runner_;
  QuickClock clock_;
  Clock::time_point now_ = clock_.now();  // at the last answer, or the end of the last wait
  Clock::time_point started_ = now_;
  Clock::time_point untold_since_ = now_;
  bool untold_ = false;  // there are answers that the loop was not woken for
  std::uint32_t generation_;
  std::uint32_t served_ = 0;
};

}  // namespace

void worker_main(const SharedMemory& memory, std::uint32_t area, std::uint32_t generation,
                 pid_t parent, const Sandbox& sandbox) {
  // The loop's, which would make an op's failed allocation wait for memory; here it ends the task.
  std::set_new_handler(nullptr);
  Worker worker(memory, area, generation);
  set_up_worker(parent, memory.areas[area].bell.get(), area, memory.memory_limit_bytes, sandbox);
  worker.report_ready();
  worker.serve();
}

}  // namespace fetchmill::workers
