// A value, or why there is none.
//
// The error stands on the heap: results are part of every coroutine frame on the way of a fetch,
// and an Error is ten times the size of what most of them hold. With errors inline, a waiting fetch
// held 5 KiB more. Success allocates nothing.
//
// Process: all. Errors: none thrown, but by value().
#pragma once

#include <concepts>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace fetchmill::config {

namespace detail {

// Out of line, so that the end of a result without an error, of which each fetch has dozens, is a
// test and no call.
struct DeleteError {
  template <class E>
  [[gnu::noinline]] void operator()(E* error) const {
    delete error;
  }
};

// A value on the heap, or none: moved as a pointer, copied as a value.
template <class E>
class Boxed {
 public:
  Boxed() = default;
  explicit Boxed(E value) : value_(new E(std::move(value))) {}
  Boxed(Boxed&&) noexcept = default;
  Boxed& operator=(Boxed&&) noexcept = default;
  Boxed(const Boxed& other) : value_(other.value_ ? new E(*other) : nullptr) {}
  Boxed& operator=(const Boxed& other) { return *this = Boxed(other); }
  explicit operator bool() const { return value_ != nullptr; }
  E& operator*() const { return *value_; }

 private:
  std::unique_ptr<E, DeleteError> value_;
};

}  // namespace detail

template <class T, class E>
class [[nodiscard]] BasicResult {
 public:
  BasicResult() requires std::default_initializable<T>
  = default;
  template <class U = T>
  requires std::is_convertible_v<U, T> &&(!std::same_as<std::remove_cvref_t<U>, BasicResult>)
      // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): is constrained, and none of these
      BasicResult(U&& value)
      : held_(std::in_place_index<0>, std::forward<U>(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): an error is a result
  BasicResult(E error) : held_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return held_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Require a value.
  T& operator*() & { return *std::get_if<0>(&held_); }
  const T& operator*() const& { return *std::get_if<0>(&held_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&held_)); }
  T* operator->() { return std::get_if<0>(&held_); }
  const T* operator->() const { return std::get_if<0>(&held_); }

  // Require an error.
  E& error() & { return **std::get_if<1>(&held_); }
  const E& error() const& { return **std::get_if<1>(&held_); }
  E&& error() && { return std::move(**std::get_if<1>(&held_)); }

  // For where an error is a bug of ours. Throws std::logic_error.
  T& value() & { return checked(), **this; }
  const T& value() const& { return checked(), **this; }
  T&& value() && { return checked(), *std::move(*this); }

 private:
  void checked() const {
    if (!has_value()) throw std::logic_error("a result without a value");
  }

  std::variant<T, detail::Boxed<E>> held_;
};

template <class E>
class [[nodiscard]] BasicResult<void, E> {
 public:
  BasicResult() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): an error is a result
  BasicResult(E error) : error_(std::move(error)) {}

  bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }

  // Require an error.
  E& error() & { return *error_; }
  const E& error() const& { return *error_; }
  E&& error() && { return std::move(*error_); }

 private:
  detail::Boxed<E> error_;
};

}  // namespace fetchmill::config
