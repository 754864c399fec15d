// Memory that grows by whole pages: nothing is copied or filled as it grows, and what is given up
// goes back to the system at once.
//
// Process: worker. Errors: std::bad_alloc.
#pragma once

#include "workers/layout.hpp"

#include <cstddef>
#include <new>

#include <sys/mman.h>

namespace fetchmill::workers {

class PageBuffer {
 public:
  PageBuffer() = default;
  PageBuffer(const PageBuffer&) = delete;
  PageBuffer& operator=(const PageBuffer&) = delete;
  ~PageBuffer() { release(); }

  char* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

  // Keeps what is in it; may move it.
  void grow(std::size_t bytes_min) {
    const std::size_t bytes = round_up(bytes_min, page_bytes);
    if (bytes <= bytes_) return;
    void* const grown = data_ == nullptr ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                         : ::mremap(data_, bytes_, bytes, MREMAP_MAYMOVE);
    if (grown == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<char*>(grown);
    bytes_ = bytes;
  }
  void release() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
    data_ = nullptr;
    bytes_ = 0;
  }

 private:
  char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace fetchmill::workers
