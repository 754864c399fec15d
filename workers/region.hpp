// Regions of shared memory: made as sealed memfds, mapped, and turned from offsets into spans. The
// only place that does.
//
// Process: all; a region is made before the spawner forks. Requires: /proc is mounted (read-only
// descriptors are re-opened through it). Errors: internal_error with what the system said.
#pragma once

#include "config/error.hpp"
#include "workers/fd.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace fetchmill::workers {

// One memfd through two descriptors: what was mapped through `readable` can never become writable.
struct SharedFile {
  Fd writable;
  Fd readable;
  std::uint64_t bytes = 0;
};

// Sparse: a page exists once it is touched. Sealed against growing and shrinking, mode 0400.
config::Result<SharedFile> make_shared_file(const char* name, std::uint64_t bytes);

enum class Access : std::uint8_t { read_only, read_write };

class Region {
 public:
  Region() = default;
  Region(Region&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Region& operator=(Region&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Region();

  static config::Result<Region> map(const Fd& file, std::uint64_t bytes, Access access);

  // Nothing when any of it lies outside.
  std::optional<std::span<const std::byte>> span(std::uint64_t offset, std::uint64_t bytes) const {
    return writable_span(offset, bytes);
  }
  // Requires: mapped read_write.
  std::optional<std::span<std::byte>> writable_span(std::uint64_t offset,
                                                    std::uint64_t bytes) const {
    if (offset > bytes_.size() || bytes > bytes_.size() - offset) return std::nullopt;
    return bytes_.subspan(offset, bytes);
  }
  std::span<std::byte> all() const { return bytes_; }

  // The structure that stands at the start of the region.
  template <class Page>
  Page& page() const {
    return *reinterpret_cast<Page*>(bytes_.data());
  }

 private:
  explicit Region(std::span<std::byte> bytes) : bytes_(bytes) {}

  std::span<std::byte> bytes_;
};

}  // namespace fetchmill::workers
