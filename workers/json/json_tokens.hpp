// The tokens of a JSON text, walked once from the first to the last, their structure checked on the
// way: brackets that match in kind, at most json_depth_max deep, commas, colons and keys where they
// must be, nothing behind the root. What passed-over numbers, literals and strings hold is not
// looked at; UTF-8 is checked of all.
//
// This is simdjson's first stage, which finds the tokens, with a second stage of its own. On-Demand
// checks nothing in what it passes over but the number of brackets, so that a text that is not JSON
// can lose items without a word, and a check behind it takes a pass more over the tokens.
// Process: worker.
// Lifetime: keep a JsonTokenizer and reuse it: its buffers stay allocated, except after unusually
// large texts. A JsonTokens is good until the next start() and no longer than the text.
// Bytes: the text must be followed by SIMDJSON_PADDING readable bytes, whatever they hold.
// Errors: simdjson's codes; TAPE_ERROR for a structure that is none.
#pragma once

#include "workers/json/json_machine.hpp"
#include "workers/json/json_text.hpp"

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace fetchmill::workers::json {

// A cursor. It stands before a value, before a key, or behind a value; each function says what it
// requires and where it leaves the cursor.
class JsonTokens {
 public:
  JsonTokens() = default;
  JsonTokens(std::string_view text, const simdjson::internal::dom_parser_implementation& stage1);

  bool at_end() const { return next_ == end_; }
  // The first byte of the token that comes next; of a container its bracket.
  char first() const { return text_[*next_]; }
  // The token that comes next. Requires: a scalar or a key.
  std::string_view scalar() const {
    return without_trailing_space({text_ + next_[0], text_ + next_[1]});
  }
  // Where it begins, for reading up to its end: nothing but white space or a structural character
  // follows a good number there, unless is_last().
  const char* begin() const { return text_ + *next_; }
  bool is_last() const { return end_ - next_ <= 1; }

  bool at_container() const { return !at_end() && (first() == '{' || first() == '['); }
  // Before a container: past its opening bracket. `empty`: past the closing one as well.
  simdjson::error_code enter(bool& empty);
  // Before a member: whether there is a key, a colon, and more.
  bool at_member() const { return end_ - next_ > 3 && first() == '"' && text_[next_[1]] == ':'; }
  // Requires: at_member(). Past its key and colon.
  void pass_key() { next_ += 2; }
  // Before a value: past it.
  simdjson::error_code pass();
  // Before a value: past it. `raw` is its text.
  simdjson::error_code take(std::string_view& raw);
  // Behind a value in a container that ends in `closing`: past the comma (`more`) or the end.
  simdjson::error_code next(char closing, bool& more);
  // Before a value or a member of a container: past it and all that comes behind it there.
  simdjson::error_code pass_rest();
  // Behind a value in a container: past all that is left of that container.
  simdjson::error_code leave() {
    bool more = false;
    const simdjson::error_code error = next(is_object() ? '}' : ']', more);
    return error || !more ? error : pass_rest();
  }
  // Behind the root: whether that is all.
  simdjson::error_code finish() const;

  // What a string or key is, its escapes undone; `buffer` holds it. Requires: a scalar().
  simdjson::error_code unescape(std::string_view string, std::string& buffer) const;

 private:
  bool is_object() const { return objects_[depth_ - 1]; }
  // For the first stage, a number with a quote in it goes on to the next quote: 5"],[6" is one, and
  // hides what should be tokens. A string begins and ends with quotes, anything else with none.
  [[gnu::always_inline]] simdjson::error_code pass_scalar() {
    const bool is_string = first() == '"';
    const char last = text_[next_[1] - 1];
    if ((is_string != (last == '"') || static_cast<unsigned char>(last) <= ' ') &&
        is_string != (scalar().back() == '"'))
      return simdjson::TAPE_ERROR;
    ++next_;
    return simdjson::SUCCESS;
  }

  const char* text_ = nullptr;
  const std::uint32_t* next_ = nullptr;  // offsets; *end_ is the text's size
  const std::uint32_t* end_ = nullptr;
  const simdjson::internal::dom_parser_implementation* stage1_ = nullptr;
  std::size_t depth_ = 0;
  std::bitset<json_depth_max> objects_;  // of the containers that are open: an object, or an array
};

class JsonTokenizer {
 public:
  // Before the root.
  simdjson::error_code start(std::string_view text, JsonTokens& tokens);
  void release_if_large();

 private:
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage1_;
  std::size_t tokens_max_ = 0;  // of a text so far
};

namespace detail {

// What a token is, by its first byte.
enum class JsonByte : std::uint8_t { no_value, scalar, opening };

inline constexpr std::array<JsonByte, 256> json_bytes = [] {
  std::array<JsonByte, 256> kinds{};
  for (const char c : {'{', '['}) kinds[static_cast<unsigned char>(c)] = JsonByte::opening;
  for (const char c : std::string_view("\"-0123456789tfn"))
    kinds[static_cast<unsigned char>(c)] = JsonByte::scalar;
  return kinds;
}();

inline JsonByte kind_of(char c) {
  return json_bytes[static_cast<unsigned char>(c)];
}

}  // namespace detail

[[gnu::always_inline]] inline simdjson::error_code JsonTokens::enter(bool& empty) {
  const bool object = first() == '{';
  if (end_ - next_ < 2) return simdjson::TAPE_ERROR;
  if (depth_ == json_depth_max) return simdjson::DEPTH_ERROR;
  empty = text_[next_[1]] == (object ? '}' : ']');
  if (empty) {
    next_ += 2;
    return simdjson::SUCCESS;
  }
  objects_[depth_++] = object;
  ++next_;
  return simdjson::SUCCESS;
}

[[gnu::always_inline]] inline simdjson::error_code JsonTokens::pass() {
  if (at_end()) return simdjson::TAPE_ERROR;
  switch (detail::kind_of(first())) {
    case detail::JsonByte::scalar:
      return pass_scalar();
    case detail::JsonByte::opening: {
      bool empty = false;
      const simdjson::error_code error = enter(empty);
      return error || empty ? error : pass_rest();
    }
    case detail::JsonByte::no_value:
      break;
  }
  return simdjson::TAPE_ERROR;
}

[[gnu::always_inline]] inline simdjson::error_code JsonTokens::next(char closing, bool& more) {
  if (at_end()) return simdjson::TAPE_ERROR;
  const char c = first();
  ++next_;
  more = c == ',';
  if (more) return simdjson::SUCCESS;
  --depth_;
  return c == closing ? simdjson::SUCCESS : simdjson::TAPE_ERROR;
}

}  // namespace fetchmill::workers::json
