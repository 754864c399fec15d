#include "workers/region.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace fetchmill::workers {
namespace {

config::Error system_error(const char* what, const char* name) {
  const int number = errno;
  return config::Error(config::ErrorCode::internal_error, std::string(what) + " (shared memory " +
                                                              name + "): " + std::strerror(number));
}

}  // namespace

config::Result<SharedFile> make_shared_file(const char* name, std::uint64_t bytes) {
  SharedFile file;
  file.bytes = bytes;
  file.writable = Fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.writable) return system_error("memfd_create", name);
  const int fd = file.writable.get();
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) return system_error("ftruncate", name);
  // Not F_SEAL_FUTURE_WRITE: under it MADV_REMOVE fails, and the loop could not give memory back.
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return system_error("F_ADD_SEALS", name);
  if (::fchmod(fd, 0400) != 0) return system_error("fchmod", name);
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  file.readable = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.readable) return system_error("open /proc/self/fd read-only", name);
  return file;
}

config::Result<Region> Region::map(const Fd& file, std::uint64_t bytes, Access access) {
  const int protection = access == Access::read_write ? PROT_READ | PROT_WRITE : PROT_READ;
  void* start = ::mmap(nullptr, bytes, protection, MAP_SHARED, file.get(), 0);
  if (start == MAP_FAILED) return system_error("mmap", "region");
  // Memory is counted in pages that were touched (SlotPool::stray_bytes), wherever the system would
  // make huge ones of them. Fails where it has none.
  ::madvise(start, bytes, MADV_NOHUGEPAGE);
  return Region(std::span(static_cast<std::byte*>(start), bytes));
}

Region::~Region() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace fetchmill::workers
