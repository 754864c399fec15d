// A strict JSON (RFC 8259) recogniser that takes its input in pieces: one automaton for the scan of
// worker results and for naming the place of an error.
//
// It judges grammar and depth, byte by byte, without recursion or allocation. It does not judge
// UTF-8: its callers do, in bulk.
// Process: any.
// Trust: the input is hostile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fetchmill::workers::json {

inline constexpr std::size_t json_depth_max = 1024;

class JsonMachine {
 public:
  enum class Whitespace : std::uint8_t { any, spaces_only };

  explicit JsonMachine(Whitespace whitespace) : whitespace_(whitespace) {}

  // The index of the first byte that cannot stand where it stands, or piece.size() if all can.
  // After a bad byte the machine must not be fed again.
  std::size_t feed(std::string_view piece);
  // Whether what was fed is one complete JSON text.
  bool complete() const;
  // What the machine would have taken instead of the bad byte or the end: "expected ',' or '}'".
  std::string_view expected() const;

 private:
  enum class State : std::uint8_t {
    value,
    array_start,
    object_start,
    key,
    colon,
    after_value,
    string,
    escape,
    hex,
    literal,
    minus,
    zero,
    integer,
    point,
    fraction,
    exponent,
    exponent_sign,
    exponent_digits,
    too_deep,
  };

  bool take(char c);
  bool begin_value(char c);
  bool end_value(char c);
  bool number_byte(char c);
  bool open(bool object);
  bool close(bool object);
  bool in_object() const;
  bool is_space(char c) const;

  State state_ = State::value;
  Whitespace whitespace_;
  bool string_is_key_ = false;
  std::uint8_t hex_digits_ = 0;
  const char* literal_ = nullptr;  // what is still to come of true, false or null
  std::size_t depth_ = 0;
  std::array<std::uint64_t, json_depth_max / 64>
      objects_{};  // a bit a level: an object, or an array
};

}  // namespace fetchmill::workers::json
