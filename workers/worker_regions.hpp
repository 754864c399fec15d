// What a worker maps: the inputs and its commands to read, its answers to write.
//
// Process: worker, before its descriptors are closed and the sandbox entered. Errors: a process
// that cannot map them ends with exit_setup_failed.
#pragma once

#include "workers/child_setup.hpp"
#include "workers/layout.hpp"
#include "workers/region.hpp"
#include "workers/shared_memory.hpp"

#include <cstdint>
#include <utility>

#include <unistd.h>

namespace fetchmill::workers {

struct WorkerRegions {
  WorkerRegions(const SharedMemory& memory, std::uint32_t area)
      : inputs(map(memory.inputs.readable, memory.inputs.bytes, Access::read_only)),
        commands(map(memory.areas[area].commands.readable, memory.areas[area].commands.bytes,
                     Access::read_only)),
        answers(map(memory.areas[area].answers.writable, memory.areas[area].answers.bytes,
                    Access::read_write)) {}

  const LoopPage& loop() const { return commands.page<const LoopPage>(); }
  WorkerPage& own() const { return answers.page<WorkerPage>(); }

  Region inputs;
  Region commands;
  Region answers;

 private:
  static Region map(const Fd& file, std::uint64_t bytes, Access access) {
    config::Result<Region> region = Region::map(file, bytes, access);
    if (!region) ::_exit(exit_setup_failed);
    return std::move(*region);
  }
};

}  // namespace fetchmill::workers
