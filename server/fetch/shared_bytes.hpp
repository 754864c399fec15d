// Bytes that copies share: what the defaults of a batch have as their body, or as their pipeline,
// is that of each of its tasks. Where there are none, as nearly always in most of what a task can
// have, they take half the room of a string.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace fetchmill::server::fetch {

class SharedBytes {
 public:
  SharedBytes() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): it stands where a string would.
  SharedBytes(std::string bytes) {
    if (!bytes.empty()) bytes_ = std::make_shared<const std::string>(std::move(bytes));
  }
  // NOLINTNEXTLINE(google-explicit-constructor)
  SharedBytes(const char* text) : SharedBytes(std::string(text)) {}

  // NOLINTNEXTLINE(google-explicit-constructor)
  operator std::string_view() const { return bytes_ ? std::string_view(*bytes_) : ""; }
  bool empty() const { return bytes_ == nullptr; }
  std::size_t size() const { return bytes_ ? bytes_->size() : 0; }
  void clear() { bytes_.reset(); }
  friend bool operator==(const SharedBytes& bytes, std::string_view other) {
    return std::string_view(bytes) == other;
  }

 private:
  std::shared_ptr<const std::string> bytes_;  // none where there are no bytes
};

}  // namespace fetchmill::server::fetch
