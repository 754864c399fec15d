#include "server/memory_reserve.hpp"

#include <cstdlib>
#include <new>
#include <string_view>

#include <unistd.h>

namespace fetchmill::server {
namespace {

// Between two restorations. Memory may be short for moments only; an allocation that never
// succeeds, for its size, must not be tried for ever.
constexpr int retries_max = 1000;

struct Reserve {
  void* bytes = nullptr;
  config::Counter* used = nullptr;
  int retries = 0;
  bool in_use = false;  // a program may never put anything aside
};
Reserve reserve;

void give_way() {
  if (++reserve.retries <= retries_max) {
    void* block = reserve.bytes != nullptr ? reserve.bytes : std::malloc(memory_reserve_bytes);
    if (block != nullptr) {
      std::free(block);
      reserve.bytes = nullptr;
      if (reserve.used != nullptr) reserve.used->increment();
      return;
    }
  }
  constexpr std::string_view words = "fetchmill: out of memory, and the reserve is spent: ending\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, words.data(), words.size());
  ::_exit(1);
}

}  // namespace

void put_memory_aside() {
  reserve.in_use = true;
  reserve.bytes = std::malloc(memory_reserve_bytes);
  std::set_new_handler(give_way);
}

void count_memory_shortages(config::Counter& used) {
  reserve.used = &used;
}

bool memory_is_available() {
  if (reserve.bytes != nullptr || !reserve.in_use) return true;
  reserve.bytes = std::malloc(memory_reserve_bytes);
  if (reserve.bytes != nullptr) reserve.retries = 0;
  return reserve.bytes != nullptr;
}

}  // namespace fetchmill::server
