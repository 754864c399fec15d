// What stands where in shared memory: every field with its one writer, its readers and what
// protects it.
//
// Every page has exactly one writing process, so there are no locks and no torn state, and nothing
// a dead or hostile process can leave half done. Offsets, never pointers. Process: loop and
// workers. Trust: the loop writes inputs and commands, so workers may rely on them; a worker writes
// its answers, so the loop believes nothing in them (answer.hpp).
//
//   memfd     writer      mapped by others       what protects it
//   inputs    loop        workers, read-only     a slot is written before its submission is
//                                                published, and not again until that submission
//                                                is answered or its worker dead
//   commands  loop        its worker, read-only  per field, below
//   answers   its worker  the loop, read-only    per field, below; the loop copies each word once
//                                                and judges the copy
//
// "Published by X" means: written before a release store to X, read after an acquire load of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fetchmill::workers {

inline constexpr std::uint64_t page_bytes = 4096;
inline constexpr std::uint64_t cache_line_bytes = 64;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// ---- inputs

inline constexpr std::uint64_t small_slot_bytes = page_bytes;
inline constexpr std::uint64_t medium_slot_bytes = 64 * 1024;
inline constexpr std::uint64_t body_padding_bytes = 64;  // zeros behind every body
inline constexpr std::uint64_t pipeline_bytes_max = 64 * 1024;
inline constexpr std::uint64_t media_type_bytes_max = 256;
inline constexpr std::uint64_t final_url_bytes_max = 16 * 1024;

// The head of a slot; offsets count from it. Writer: loop. Readers: workers. Published by
// LoopPage::submitted; never changes while a submission names it.
struct SlotHeader {
  std::uint64_t generation;      // counts the leases of this slot; for reading core dumps
  std::uint64_t body_offset;     // a multiple of 64
  std::uint64_t body_bytes;      // followed by body_padding_bytes zeros
  std::uint64_t tail_offset;     // media type, then final URL
  std::uint32_t pipeline_bytes;  // directly behind this header
  std::uint32_t media_type_bytes;
  std::uint32_t final_url_bytes;
  std::uint32_t content_coding;     // ContentCoding: what stands between the body and the pipeline
  std::uint64_t decoded_bytes_max;  // of the body without it
  std::uint32_t reserved[2];
};
static_assert(sizeof(SlotHeader) == 64 && std::is_trivially_copyable_v<SlotHeader>);

// ---- rings

// Submissions and answers of one worker. A power of two: indices run freely and are masked on use.
// Deep enough for the tiniest of tasks to take longer together than waking either side does.
inline constexpr std::uint32_t ring_depth = 1024;
static_assert((ring_depth & (ring_depth - 1)) == 0);
constexpr std::uint32_t ring_place(std::uint32_t index) {
  return index & (ring_depth - 1);
}

// One task for the worker. Writer: loop. Reader: its worker. Published by LoopPage::submitted; the
// place is written again only after the worker's answer to it was taken.
struct Submission {
  std::uint64_t task;         // unique in the pool's life
  std::uint64_t slot_offset;  // in inputs
  std::uint64_t slot_bytes;
  std::uint64_t grant_offset;  // in answers: where the result goes if it fits
  std::uint64_t grant_bytes;
  std::uint64_t result_bytes_max;  // before it is encoded
  std::uint32_t flags;
  std::uint32_t reserved[3];
};
static_assert(sizeof(Submission) == 64 && std::is_trivially_copyable_v<Submission>);

enum SubmissionFlags : std::uint32_t {
  encode_for_line = 1U << 0U,
  hash_result = 1U << 1U,
  check_poison = 1U << 2U,  // refuse the input if LoopPage::poison names it
  hash_input = 1U << 3U,    // run nothing: answer the input's hash
  quick = 1U << 4U,         // takes so little that the answers before it may wait for it
  undo_coding = 1U << 5U,   // of the body, as SlotHeader says, before the pipeline
  compile_only = 1U << 6U,  // run nothing: answer whether the pipeline compiles
};

enum class AnswerKind : std::uint32_t {
  done = 1,         // the result is in the grant, from its start
  failed = 2,       // error_code; the grant holds the field's name, then the detail
  need_output = 3,  // the result has `bytes` bytes, more than the grant: waiting for a larger one
  skipped = 4,      // its cancel mark was seen first
};

// One answer. Writer: the worker. Reader: loop, which copies it once. Published by
// WorkerPage::answered. The place is written again only once it was taken: at most ring_depth tasks
// are unanswered, and what a task answers before its last answer is taken before it gets a grant.
struct alignas(cache_line_bytes) Answer {
  std::uint64_t task;
  std::uint64_t bytes;
  std::uint64_t process_ns;  // the worker's clock, from taking the task to this answer
  std::uint64_t hash[2];
  std::uint32_t kind;         // AnswerKind
  std::uint32_t result_kind;  // ResultKind
  std::uint32_t error_code;   // config::ErrorCode
  std::uint32_t field_bytes;  // of a failure: the first bytes of the grant
  std::uint32_t media_type_bytes;
  std::uint32_t is_last;  // the worker ends behind it, having begun nothing else
};
static_assert(sizeof(Answer) == cache_line_bytes && std::is_trivially_copyable_v<Answer>);
inline constexpr std::uint64_t failure_text_bytes_max = 4096;

// The media type of a result, which most have none of: it stands apart from the answers, so that
// one of those is one cache line. Writer, reader and protection are its answer's.
struct AnswerMediaType {
  char text[104];
};

// An input that ended workers again and again: the hash of pipeline and body. A worker may see half
// of an old entry and half of a new one, which then matches nothing, but for a chance of 1 in 2^64.
struct PoisonMark {
  std::atomic<std::uint64_t> low;
  std::atomic<std::uint64_t> high;
};
inline constexpr std::uint32_t poison_list_max = 64;

// ---- commands: one memfd a worker. Writer: loop. Reader: that worker, read-only.

struct LoopPage {
  // Counts the workers that used this area. Written before the worker is asked for; constant in its
  // life.
  std::atomic<std::uint32_t> generation;
  // Futex word: changes whenever the worker must look again. Paired with WorkerPage::sleeping.
  alignas(cache_line_bytes) std::atomic<std::uint32_t> doorbell;
  // Submissions written so far. Release store; publishes Submission, SlotHeader and bodies.
  std::atomic<std::uint32_t> submitted;
  // Counts the times the loop went to sleep wanting a ring; the worker rings once for each value.
  // Paired with WorkerPage::answered by seq_cst fences.
  std::atomic<std::uint32_t> wake_wanted;
  // The answer to need_output. grant_task is stored last (release) and names whose grant it is.
  alignas(cache_line_bytes) std::atomic<std::uint64_t> grant_task;
  std::atomic<std::uint64_t> grant_offset;
  // The task at this place is no longer wanted if its id stands here. A hint: no ordering.
  alignas(cache_line_bytes) std::atomic<std::uint64_t> cancelled[ring_depth];
  alignas(cache_line_bytes) Submission submissions[ring_depth];
  // Read only for a submission that says check_poison, which publishes them.
  alignas(cache_line_bytes) std::atomic<std::uint32_t> poison_count;
  PoisonMark poison[poison_list_max];
};

// ---- answers: one memfd a worker. Writer: that worker. Reader: loop, read-only.

struct WorkerPage {
  // LoopPage::generation of the worker that is ready for work; anything else: not ready. Release
  // store. What stands in front of the answers is zero when a worker starts: the spawner, which
  // then is the only one to have the page, sees to it.
  std::atomic<std::uint32_t> ready_generation;
  // Counts going to sleep on the doorbell and waking up: odd while asleep or about to be. A lie
  // costs a system call, or the liar its work.
  alignas(cache_line_bytes) std::atomic<std::uint32_t> sleeping;
  // Answers written so far. Release store; publishes Answer, AnswerMediaType and the output.
  std::atomic<std::uint32_t> answered;
  Answer answers[ring_depth];
  AnswerMediaType media_types[ring_depth];
};

using SharedWord = std::atomic<std::uint32_t>;
static_assert(SharedWord::is_always_lock_free && sizeof(SharedWord) == 4);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::is_standard_layout_v<LoopPage> && std::is_standard_layout_v<WorkerPage>);

inline constexpr std::uint64_t command_bytes = round_up(sizeof(LoopPage), page_bytes);

// Outputs, behind the worker's page. Writer: the worker, inside what the loop granted. Reader:
// loop. Each unanswered task has a small one, the one that was given back last where there is a
// choice: as many have pages as tasks were unanswered at once. The large one is an address range
// that the loop grants to one task at a time.
inline constexpr std::uint64_t small_output_bytes = 8 * 1024;
inline constexpr std::uint64_t small_outputs_offset = round_up(sizeof(WorkerPage), page_bytes);
inline constexpr std::uint64_t large_output_offset =
    small_outputs_offset + ring_depth * small_output_bytes;

// Requires: number < ring_depth.
constexpr std::uint64_t small_output_offset(std::uint32_t number) {
  return small_outputs_offset + number * small_output_bytes;
}
// What a result may take as it is answered. For a line, whatever it is encoded as: that is the most
// for text of control characters, each of which becomes \u00XX, between quotes. It costs addresses;
// pages are there for what was written.
constexpr std::uint64_t output_bytes_max(std::uint64_t result_bytes_max, std::uint32_t flags) {
  return (flags & encode_for_line) != 0 ? 6 * result_bytes_max + 2 : result_bytes_max;
}
constexpr std::uint64_t answer_bytes(std::uint64_t result_bytes_max) {
  return large_output_offset +
         round_up(output_bytes_max(result_bytes_max, encode_for_line), page_bytes);
}
static_assert(failure_text_bytes_max <= small_output_bytes);

}  // namespace fetchmill::workers
