#include "workers/json/json_machine.hpp"

#include "config/ascii.hpp"

#include <bit>
#include <cstring>

namespace fetchmill::workers::json {
namespace {

using ascii::is_digit;
using ascii::is_hex_digit;

constexpr std::uint64_t every_byte(unsigned char c) {
  return 0x0101010101010101U * c;
}

// The top bit of each byte that is below 0x20, a quote or a backslash. Bits above the lowest one
// may be set wrongly, by a borrow from a byte that is such; the lowest one is right.
std::uint64_t string_ends(std::uint64_t word) {
  const auto has_zero = [](std::uint64_t v) { return (v - every_byte(1)) & ~v; };
  const std::uint64_t control = (word - every_byte(0x20)) & ~word;
  return (control | has_zero(word ^ every_byte('"')) | has_zero(word ^ every_byte('\\'))) &
         every_byte(0x80);
}

// The first byte at or after `p` that a string does not simply contain, or `end`.
const char* skip_string_bytes(const char* p, const char* end) {
  static_assert(std::endian::native == std::endian::little, "the lowest byte must come first");
  for (; end - p >= 8; p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    if (const std::uint64_t ends = string_ends(word); ends != 0)
      return p + std::countr_zero(ends) / 8;
  }
  for (; p != end; ++p) {
    const auto c = static_cast<unsigned char>(*p);
    if (c < 0x20 || c == '"' || c == '\\') break;
  }
  return p;
}

}  // namespace

std::size_t JsonMachine::feed(std::string_view piece) {
  const char* const begin = piece.data();
  const char* const end = begin + piece.size();
  for (const char* p = begin; p != end; ++p) {
    if (state_ == State::string) {
      p = skip_string_bytes(p, end);
      if (p == end) break;
    }
    if (!take(*p)) return static_cast<std::size_t>(p - begin);
  }
  return piece.size();
}

bool JsonMachine::take(char c) {
  switch (state_) {
    case State::string:
      if (c == '"') {
        state_ = string_is_key_ ? State::colon : State::after_value;
        return true;
      }
      if (c == '\\') state_ = State::escape;
      return static_cast<unsigned char>(c) >= 0x20;
    case State::after_value:
      return end_value(c);
    case State::value:
      return is_space(c) || begin_value(c);
    case State::array_start:
      return is_space(c) || (c == ']' ? close(false) : begin_value(c));
    case State::object_start:
      if (c == '}') return close(true);
      [[fallthrough]];
    case State::key:
      if (is_space(c)) return true;
      if (c != '"') return false;
      string_is_key_ = true;
      state_ = State::string;
      return true;
    case State::colon:
      if (is_space(c)) return true;
      if (c != ':') return false;
      state_ = State::value;
      return true;
    case State::escape:
      if (c == 'u') {
        hex_digits_ = 0;
        state_ = State::hex;
        return true;
      }
      if (c == 0 || std::strchr("\"\\/bfnrt", c) == nullptr) return false;
      state_ = State::string;
      return true;
    case State::hex:
      if (!is_hex_digit(c)) return false;
      if (++hex_digits_ == 4) state_ = State::string;
      return true;
    case State::literal:
      if (c != *literal_) return false;
      if (*++literal_ == '\0') state_ = State::after_value;
      return true;
    case State::too_deep:
      return false;
    default:
      return number_byte(c);
  }
}

bool JsonMachine::number_byte(char c) {
  const auto go = [this](State next) {
    state_ = next;
    return true;
  };
  switch (state_) {
    case State::minus:
      return is_digit(c) && go(c == '0' ? State::zero : State::integer);
    case State::point:
      return is_digit(c) && go(State::fraction);
    case State::exponent:
      if (c == '+' || c == '-') return go(State::exponent_sign);
      [[fallthrough]];
    case State::exponent_sign:
      return is_digit(c) && go(State::exponent_digits);
    case State::exponent_digits:
      return is_digit(c) || end_value(c);
    case State::integer:
      if (is_digit(c)) return true;
      [[fallthrough]];
    case State::zero:
      if (c == '.') return go(State::point);
      break;
    default:  // fraction
      if (is_digit(c)) return true;
  }
  if (c == 'e' || c == 'E') return go(State::exponent);
  return end_value(c);
}

bool JsonMachine::begin_value(char c) {
  const auto go = [this](State next) {
    state_ = next;
    return true;
  };
  switch (c) {
    case '"':
      string_is_key_ = false;
      return go(State::string);
    case '{':
      return open(true);
    case '[':
      return open(false);
    case 't':
      literal_ = "rue";
      return go(State::literal);
    case 'f':
      literal_ = "alse";
      return go(State::literal);
    case 'n':
      literal_ = "ull";
      return go(State::literal);
    case '-':
      return go(State::minus);
    case '0':
      return go(State::zero);
    default:
      return is_digit(c) && go(State::integer);
  }
}

// A byte that may follow a value; a number ends only here, when the byte after it comes.
bool JsonMachine::end_value(char c) {
  if (is_space(c)) {
    state_ = State::after_value;
    return true;
  }
  if (depth_ == 0) return false;
  if (c == ',') {
    state_ = in_object() ? State::key : State::value;
    return true;
  }
  if (c == '}') return in_object() && close(true);
  return c == ']' && !in_object() && close(false);
}

bool JsonMachine::open(bool object) {
  if (depth_ == json_depth_max) {
    state_ = State::too_deep;
    return false;
  }
  std::uint64_t& word = objects_[depth_ / 64];
  const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
  word = object ? word | bit : word & ~bit;
  ++depth_;
  state_ = object ? State::object_start : State::array_start;
  return true;
}

bool JsonMachine::close(bool object) {
  if (depth_ == 0 || in_object() != object) return false;
  --depth_;
  state_ = State::after_value;
  return true;
}

bool JsonMachine::in_object() const {
  return depth_ > 0 && ((objects_[(depth_ - 1) / 64] >> ((depth_ - 1) % 64)) & 1U) != 0;
}

bool JsonMachine::is_space(char c) const {
  if (c == ' ') return true;
  return whitespace_ == Whitespace::any && (c == '\n' || c == '\r' || c == '\t');
}

bool JsonMachine::complete() const {
  if (depth_ != 0) return false;
  switch (state_) {
    case State::after_value:
    case State::zero:
    case State::integer:
    case State::fraction:
    case State::exponent_digits:
      return true;
    default:
      return false;
  }
}

std::string_view JsonMachine::expected() const {
  switch (state_) {
    case State::value:
      return "expected a value";
    case State::array_start:
      return "expected a value or ']'";
    case State::object_start:
      return "expected a string or '}'";
    case State::key:
      return "expected a string as the next key";
    case State::colon:
      return "expected ':'";
    case State::string:
      return "unterminated string or raw control character in it";
    case State::escape:
      return "expected one of \"\\/bfnrtu after a backslash";
    case State::hex:
      return "expected four hexadecimal digits after \\u";
    case State::literal:
      return "expected true, false or null";
    case State::minus:
    case State::point:
    case State::exponent:
    case State::exponent_sign:
      return "expected a digit";
    case State::too_deep:
      return "nested deeper than 1024 levels";
    default:
      if (depth_ == 0) return "expected the end after the value";
      return in_object() ? "expected ',' or '}'" : "expected ',' or ']'";
  }
}

}  // namespace fetchmill::workers::json
