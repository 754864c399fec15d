// links: fetchmill_workers fetchmill_child fetchmill_ops
// The loop's side of an area against a worker that may write anything: whatever it lets through is
// what was asked for.
//
// An input is a script. A step is a line: [TIMES] LETTER, decimal numbers, then TEXT to the end of
// the line, where ` stands for a line break. Answers are an honest worker's but for what `=` adds.
//   s FLAGS LIMIT         submit a task
//   c PLACE               cancel one; 0: the oldest
//   d TEXT                answer the oldest that is left: done, with this output
//   f CODE TEXT           … failed; CODE is a place in `failures`
//   n                     … a large output is needed
//   k                     … skipped
//   = FIELD NUMBER        add to a field of the last answer (ForgedWorker::forge)
//   w TEXT                write over the output of the last answer
//   + NUMBER              add to WorkerPage::answered
//   z NUMBER              add to WorkerPage::sleeping, and publish
//   t ANSWERS COPY SCAN   one turn of the loop, with this budget
//   o                     a new worker takes over
#include "config/utf8.hpp"
#include "tests/fuzz/forged_worker.hpp"
#include "tests/support/fuzz_check.hpp"
#include "workers/area.hpp"
#include "workers/json/json_validator.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <string>
#include <string_view>

namespace {

using namespace fetchmill::workers;
using fetchmill::config::ErrorCode;
using fetchmill::support::check;

constexpr std::uint64_t result_max = ForgedMemory::result_max;
constexpr int steps_max = 4096;
constexpr std::array failures{
    ErrorCode::processing_failed, ErrorCode::invalid_request,   ErrorCode::result_too_large,
    ErrorCode::unknown_op,        ErrorCode::unknown_field,     ErrorCode::internal_error,
    ErrorCode::poisoned_input,    ErrorCode::upstream_protocol, ErrorCode::upstream_body_too_large};

struct Told {
  // Never looked into by an Area.
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  Task* task() const { return reinterpret_cast<Task*>(id * 16); }

  std::uint64_t id = 0;
  std::uint32_t flags = 0;
  std::uint64_t limit = 0;
  bool wanted = true;
};

bool is_utf8(std::string_view rest) {
  while (const std::size_t size = fetchmill::config::utf8_sequence(rest)) rest.remove_prefix(size);
  return rest.empty();
}

bool is_json_line(std::string bytes) {
  static json::JsonValidator validator;
  bytes.reserve(bytes.size() + simdjson::SIMDJSON_PADDING);
  return bytes.find_first_of("\t\n\r") == bytes.npos && validator.is_valid(bytes);
}

void check_output(const JobOutput& output, const Told& told) {
  const std::string& type = output.media_type;
  const bool for_line = (told.flags & encode_for_line) != 0;
  check(output.bytes.size() <= output_bytes_max(std::min(told.limit, result_max), told.flags),
        "a result is within its limit");
  check(output.kind <= ResultKind::base64, "a result is of a known kind");
  check(for_line == (output.kind != ResultKind::raw), "a result is encoded as was asked");
  check(!for_line || is_json_line(output.bytes), "a line is one JSON value");
  check(type.size() <= sizeof(AnswerMediaType), "a media type is short");
  check(std::all_of(type.begin(), type.end(), [](char c) { return c >= ' ' && c <= '~'; }),
        "a media type is printable");
  check(output.hash.has_value() == ((told.flags & (hash_result | hash_input)) != 0),
        "there is a hash where one was asked for");
}

void check_failure(const fetchmill::config::Error& error, const Told& told) {
  check(std::find(failures.begin(), failures.end(), error.code) != failures.end(),
        "a failure is one that an op may end in");
  check(error.code != ErrorCode::poisoned_input || (told.flags & check_poison) != 0,
        "poison is found where it was looked for");
  check((error.code != ErrorCode::upstream_protocol &&
         error.code != ErrorCode::upstream_body_too_large) ||
            (told.flags & undo_coding) != 0,
        "a coding is bad where one was to be undone");
  check(error.field.size() + error.detail.size() <= failure_text_bytes_max, "its text is short");
  check(is_utf8(error.field + error.detail), "its text is UTF-8");
}

// An Area, and books of its own about what is owed.
class Loop {
 public:
  explicit Loop(const ForgedMemory& memory)
      : area_(*Region::map(memory.commands.writable, memory.commands.bytes, Access::read_write),
              *Region::map(memory.answers.readable, memory.answers.bytes, Access::read_only),
              result_max) {
    open();
  }

  void open() {
    area_.forget();
    area_.open(++generation_);
    owed_.clear();
    lied_ = false;
  }
  bool full() const { return owed_.size() == ring_depth; }
  void submit(std::uint32_t flags, std::uint64_t limit) {
    if (full()) return;
    const Told& told = owed_.emplace_back(Told{.id = ++last_id_, .flags = flags, .limit = limit});
    area_.submit({.id = told.id, .task = told.task(), .result_bytes_max = limit, .flags = flags});
    area_.publish();
  }
  void cancel(std::size_t place) {
    if (place >= owed_.size() || !owed_[place].wanted) return;
    area_.cancel(area_.owed(static_cast<std::uint32_t>(place)));
    owed_[place].wanted = false;
  }
  void publish() { area_.publish(); }

  // Whether there is more.
  bool turn(TurnBudget budget) {
    Area::Take take = Area::Take::answer;
    while (take == Area::Take::answer) {
      const TurnBudget had = budget;
      Area::Taken taken;
      take = area_.take(budget, taken);
      check(budget.answers <= had.answers && budget.copy_bytes <= had.copy_bytes &&
                budget.scan_bytes <= had.scan_bytes,
            "no more is spent than there was");
      check(!lied_ || take == Area::Take::lie, "a liar is not listened to again");
      if (take == Area::Take::answer) check_answer(taken);
      check(area_.unanswered() == owed_.size(), "each answer ends one task");
    }
    lied_ = take == Area::Take::lie;
    check(lied_ == (area_.lie() != Lie::none), "a lie has a name");
    check(take != Area::Take::later || budget.spent(), "a turn goes on while it can");
    check(take != Area::Take::nothing || area_.may_sleep(), "the loop sleeps if nothing is there");
    return take == Area::Take::later;
  }

 private:
  void check_answer(const Area::Taken& taken) {
    check(!owed_.empty(), "no more is answered than was asked");
    const Told told = owed_.front();
    owed_.pop_front();
    check(taken.owed->asked.task == told.id, "answers come in order");
    check(taken.owed->task == (told.wanted ? told.task() : nullptr), "an answer is its task's");
    if (!told.wanted) return;
    if (!taken.result.output) return check_failure(taken.result.output.error(), told);
    const JobOutput& output = *taken.result.output;
    const Asked& asked = taken.owed->asked;
    check_output(output, told);
    check(output.bytes.size() <=
              (asked.large_granted ? output_bytes_max(result_max, told.flags) : small_output_bytes),
          "a result fits its grant");
    check(!output.hash || *output.hash == std::array{told.id, ~told.id},
          "a result is of the task it claims");
  }

  Area area_;
  std::deque<Told> owed_;
  std::uint64_t last_id_ = 0;
  std::uint32_t generation_ = 0;
  bool lied_ = false;
};

// The rest of a step's line.
struct Words {
  std::string_view rest;

  char letter() {
    const char first = skip_spaces().empty() ? '\0' : rest.front();
    rest.remove_prefix(rest.empty() ? 0 : 1);
    return first;
  }
  template <class Number>
  Number number(Number otherwise) {
    skip_spaces();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc{}) return otherwise;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return static_cast<Number>(value);
  }
  std::string text() {
    std::string made(skip_spaces());
    std::replace(made.begin(), made.end(), '`', '\n');
    return made;
  }
  std::string_view skip_spaces() {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    return rest;
  }
};

void step(char letter, Words words, Loop& loop, ForgedWorker& worker) {
  const auto answer = [&](AnswerKind kind) {
    const bool failed = kind == AnswerKind::failed;
    const std::size_t code = failed ? words.number(std::size_t{0}) % failures.size() : 0;
    worker.answer(kind, words.text(), failures[code]);
  };
  // clang-format off
  switch (letter) {
    case 'd': return answer(AnswerKind::done);
    case 'f': return answer(AnswerKind::failed);
    case 'n': return answer(AnswerKind::need_output);
    case 'k': return answer(AnswerKind::skipped);
    case 'c': return loop.cancel(words.number(std::size_t{0}));
    case 'w': return worker.write_over(words.text());
    case '+': return worker.claim(words.number(1U));
    default: break;
  }
  // clang-format on
  if (letter == 's') {
    const std::uint32_t left = worker.left() + (loop.full() ? 0 : 1);
    const auto flags = words.number(0U);
    loop.submit(flags, words.number(result_max));
    check(worker.left() == left, "what is submitted is seen");
  } else if (letter == '=') {
    const char field = words.letter();
    worker.forge(field, words.number(std::uint64_t{1}));
  } else if (letter == 'z') {
    worker.sleep(words.number(1U));
    loop.publish();
  } else if (letter == 't') {
    TurnBudget budget;
    budget.answers = words.number(budget.answers);
    budget.copy_bytes = words.number(budget.copy_bytes);
    budget.scan_bytes = words.number(budget.scan_bytes);
    loop.turn(budget);
  } else if (letter == 'o') {
    worker.open();
    loop.open();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ForgedMemory memory;
  Loop loop(memory);
  ForgedWorker worker(memory);
  std::string_view script(reinterpret_cast<const char*>(data), size);
  for (int steps = 0; !script.empty();) {
    Words words{script.substr(0, script.find('\n'))};
    script.remove_prefix(std::min(script.size(), words.rest.size() + 1));
    const int times = words.number(1);
    const char letter = words.letter();
    // Repeated only while there is room to submit, or a task left to answer.
    const auto done = [&] { return letter == 's' ? loop.full() : worker.left() == 0; };
    for (int i = 0; i < times && steps < steps_max && (i == 0 || !done()); ++i, ++steps)
      step(letter, words, loop, worker);
  }
  while (loop.turn({})) continue;
  return 0;
}
