// links: fetchmill_workers fetchmill_child fetchmill_ops
//
// Arbitrary bytes as what a worker wrote: the loop's side must neither crash nor read outside, nor
// take more answers than it asked for, nor let through a line that is not one JSON value.
#include "workers/area.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>

namespace {

using namespace fetchmill::workers;

constexpr std::uint64_t result_max = 64 * 1024;

struct Memory {
  SharedFile commands = *make_shared_file("commands", command_bytes);
  SharedFile answers = *make_shared_file("answers", answer_bytes(result_max));
  Region forged = *Region::map(answers.writable, answers.bytes, Access::read_write);
  Area area{*Region::map(commands.writable, command_bytes, Access::read_write),
            *Region::map(answers.readable, answers.bytes, Access::read_only), result_max};
};

Task* some_task() {
  return reinterpret_cast<Task*>(std::uintptr_t{16});
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

// The first byte says how many tasks were submitted, and how; then come pieces of 18 bytes or more:
// where to write, how much, what.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Memory memory;
  if (size < 2) return 0;
  const std::uint32_t submitted = data[0] % (ring_depth + 1);
  const std::uint32_t flags = data[1] % 4;
  memory.area.open(1);
  std::memset(memory.forged.all().data(), 0, sizeof(WorkerPage));
  for (std::uint32_t i = 0; i < submitted; ++i)
    memory.area.submit(
        {.id = i + 1, .task = some_task(), .result_bytes_max = result_max, .flags = flags});
  if (submitted > 2 && (data[1] & 4U) != 0) memory.area.cancel(*some_task());
  // Most of the bytes go where they matter: the worker's page.
  const std::uint64_t page = std::min<std::uint64_t>(size - 2, sizeof(WorkerPage));
  std::memcpy(memory.forged.all().data(), data + 2, page);
  if (size > 2 + page)
    std::memcpy(memory.forged.all().data() + small_outputs_offset, data + 2 + page,
                std::min<std::uint64_t>(size - 2 - page, small_output_bytes));

  std::uint32_t taken = 0;
  for (int turn = 0; turn < 1000; ++turn) {
    TurnBudget budget;
    Area::Taken answer;
    const Area::Take take = memory.area.take(budget, answer);
    if (take == Area::Take::nothing || take == Area::Take::lie) break;
    if (take != Area::Take::answer) continue;
    require(++taken <= submitted);
    if (!answer.output || !*answer.output) continue;
    const JobOutput& output = **answer.output;
    require(output.bytes.size() <= result_max);
    if ((flags & encode_for_line) != 0)
      require(output.bytes.find('\n') == std::string::npos && !output.bytes.empty());
  }
  return 0;
}
