// The pieces of which outcomes are written: numbers, times, members.
//
// Pure.
#pragma once

#include "config/digits.hpp"
#include "config/json_string.hpp"
#include "server/fetch/trace.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fetchmill::handlers {

inline void append_number(std::string& out, std::uint64_t value) {
  out += config::Digits(value);
}

// A time as text, "1.234": microseconds are what can be measured, and three decimals say so.
class Milliseconds {
 public:
  explicit Milliseconds(std::chrono::nanoseconds time) {
    // The digits of less than nothing would be none.
    const auto micros = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, std::chrono::floor<std::chrono::microseconds>(time).count()));
    const auto digit = [&](unsigned unit) { return static_cast<char>('0' + micros / unit % 10); };
    char* end = std::to_chars(text_.data(), text_.data() + 20, micros / 1000).ptr;
    for (const char c : {'.', digit(100), digit(10), digit(1)}) *end++ = c;
    end_ = end;
  }
  Milliseconds(const Milliseconds&) = delete;
  Milliseconds& operator=(const Milliseconds&) = delete;
  operator std::string_view() const { return {text_.data(), end_}; }

 private:
  std::array<char, 24> text_;
  const char* end_;
};

inline void append_milliseconds(std::string& out, std::chrono::nanoseconds time) {
  out += Milliseconds(time);
}

// `,"name":`; the comma only behind another member.
inline void append_member_name(std::string& out, std::string_view name) {
  if (!out.ends_with('{')) out += ',';
  out += '"';
  out += name;
  out += std::string_view("\":");
}

// `,"name":"value"`, nothing for an empty value.
inline void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  append_member_name(out, name);
  config::append_json_string(out, value);
}

// Calls `visit(name, duration)` for each phase of a fetch that took place, in order.
template <class Visit>
void for_each_phase(const server::fetch::PhaseTimings& timings, Visit visit) {
  if (timings.dns) visit("dns", *timings.dns);
  if (timings.connect) visit("connect", *timings.connect);
  if (timings.tls) visit("tls", *timings.tls);
  if (timings.ttfb) visit("ttfb", *timings.ttfb);
  if (timings.transfer) visit("transfer", *timings.transfer);
}

// The names and milliseconds that `for_each` tells its visitor, as an object.
template <class ForEach>
void append_timings(std::string& out, ForEach for_each) {
  out += '{';
  for_each([&](std::string_view name, std::chrono::nanoseconds time) {
    append_member_name(out, name);
    append_milliseconds(out, time);
  });
  out += '}';
}

}  // namespace fetchmill::handlers
