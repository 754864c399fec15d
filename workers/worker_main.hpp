// A worker: takes tasks from its commands, runs their pipelines over the inputs, puts results into
// its answers. One task at a time, for as long as the process lives.
//
// Process: worker. Lifetime: until it is killed; nothing here is ever freed or flushed. Trust: the
// loop's words are relied on, the bodies are hostile: this process is what they may take down.
#pragma once

#include "workers/sandbox.hpp"
#include "workers/shared_memory.hpp"

#include <cstdint>

#include <sys/types.h>

namespace fetchmill::workers {

// Maps what area `area` may see, closes all the rest, and serves. `parent` is the spawner.
[[noreturn]] void worker_main(const SharedMemory& memory, std::uint32_t area,
                              std::uint32_t generation, pid_t parent, const Sandbox& sandbox);

}  // namespace fetchmill::workers
