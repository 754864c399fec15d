// A string that is nearly always empty, in the room of a pointer: for what thousands of waiting
// tasks have a member for and few use.
//
// Process: all. Errors: none.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace fetchmill::config {

class RareString {
 public:
  RareString() = default;
  template <class Text>
  requires std::constructible_from<std::string, Text> &&
      (!std::same_as<std::remove_cvref_t<Text>, RareString>)
      // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): is constrained
      RareString(Text&& text) {
    if (std::string whole(std::forward<Text>(text)); !whole.empty())
      text_ = std::make_unique<std::string>(std::move(whole));
  }
  RareString(RareString&&) noexcept = default;
  RareString& operator=(RareString&&) noexcept = default;
  RareString(const RareString& other) : RareString(std::string_view(other)) {}
  RareString& operator=(const RareString& other) { return *this = RareString(other); }
  ~RareString() = default;

  bool empty() const { return text_ == nullptr; }
  std::size_t size() const { return empty() ? 0 : text_->size(); }
  // NOLINTNEXTLINE(google-explicit-constructor): it is one
  operator std::string_view() const { return empty() ? std::string_view() : *text_; }
  friend bool operator==(const RareString& one, std::string_view other) {
    return std::string_view(one) == other;
  }

 private:
  std::unique_ptr<std::string> text_;
};

}  // namespace fetchmill::config
