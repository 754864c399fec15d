// A number's decimal digits as text, without an allocation.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

namespace fetchmill::config {

class Digits {
 public:
  explicit Digits(std::uint64_t number)
      : end_(std::to_chars(text_.data(), text_.data() + text_.size(), number).ptr) {}
  Digits(const Digits&) = delete;
  Digits& operator=(const Digits&) = delete;
  operator std::string_view() const { return {text_.data(), end_}; }

 private:
  std::array<char, 20> text_;
  const char* end_;
};

}  // namespace fetchmill::config
