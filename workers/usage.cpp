#include "workers/usage.hpp"

#include <charconv>

#include <unistd.h>

namespace fetchmill::workers {
namespace {

// The value of a line "NAME:\t   123 kB".
std::optional<std::uint64_t> kilobytes(std::string_view status, std::string_view name) {
  const std::size_t at = status.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view value = status.substr(at + name.size());
  const std::size_t digits = value.find_first_not_of(" \t");
  if (digits == std::string_view::npos) return std::nullopt;
  value.remove_prefix(digits);
  std::uint64_t number = 0;
  const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
  return read.ec == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> private_bytes(std::string_view status) {
  const std::optional<std::uint64_t> resident = kilobytes(status, "\nRssAnon:");
  if (!resident) return std::nullopt;
  return (*resident + kilobytes(status, "\nVmSwap:").value_or(0)) * 1024;
}

std::optional<std::uint64_t> read_private_bytes(int status_fd) {
  char text[4096];
  const ssize_t got = ::pread(status_fd, text, sizeof text, 0);
  if (got <= 0) return std::nullopt;
  return private_bytes({text, static_cast<std::size_t>(got)});
}

}  // namespace fetchmill::workers
