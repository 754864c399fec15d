#include "workers/shared_memory.hpp"

#include "workers/layout.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include <sys/eventfd.h>

namespace fetchmill::workers {

config::Result<SharedMemory> SharedMemory::create(const PoolOptions& options) {
  SharedMemory memory;
  memory.may_spin = options.may_spin;
  memory.memory_limit_bytes = options.memory_limit_bytes;
  config::Result<SlotShape> shape = slot_shape(options.region_bytes, options.body_bytes_max);
  if (!shape) return shape.error();
  memory.shape = *shape;

  config::Result<SharedFile> inputs = make_shared_file("inputs", shape->address_bytes());
  if (!inputs) return inputs.error();
  memory.inputs = std::move(*inputs);

  for (std::uint32_t i = 0; i < area_count(options.worker_count); ++i) {
    config::Result<SharedFile> commands = make_shared_file("commands", command_bytes);
    if (!commands) return commands.error();
    config::Result<SharedFile> answers =
        make_shared_file("answers", answer_bytes(options.result_bytes_max));
    if (!answers) return answers.error();
    Fd bell(::eventfd(0, EFD_CLOEXEC));
    if (!bell)
      return config::Error(config::ErrorCode::internal_error,
                           std::string("eventfd: ") + std::strerror(errno));
    memory.areas.push_back({std::move(*commands), std::move(*answers), std::move(bell)});
  }
  return memory;
}

}  // namespace fetchmill::workers
