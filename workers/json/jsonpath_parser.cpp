#include "workers/json/jsonpath_parser.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <charconv>

#include <simdjson.h>

namespace fetchmill::workers::json {
namespace {

constexpr std::int64_t integer_max = (std::int64_t{1} << 53U) - 1;

bool begins_name(char c) {
  return ascii::is_letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

bool Query::is_singular() const {
  return std::ranges::all_of(segments, [](const Segment& segment) {
    return !segment.descendant && segment.selectors.size() == 1 &&
           (segment.selectors[0].kind == Selector::Kind::name ||
            segment.selectors[0].kind == Selector::Kind::index);
  });
}

bool JsonPathParser::fail(std::string_view reason, std::size_t at) {
  fault_ = "is not a JSONPath query: " + std::string(reason);
  fault_ += at < text_.size() ? " at byte " + std::to_string(at) : std::string(" at its end");
  return false;
}

bool JsonPathParser::take_digits() {
  const std::size_t from = at_;
  while (ascii::is_digit(peek())) ++at_;
  return at_ > from;
}

bool JsonPathParser::parse(Query& query) {
  if (!simdjson::validate_utf8(text_.data(), text_.size())) return fail("not valid UTF-8");
  if (!take("$")) return fail("expected \"$\"");
  if (!segments(query)) return false;
  return at_ == text_.size() || fail("expected \".\", \"[\" or the end");
}

bool JsonPathParser::segments(Query& query) {
  for (;;) {
    const std::size_t before = at_;
    skip_space();
    if (peek() != '.' && peek() != '[') {
      at_ = before;
      return true;
    }
    if (!segment(query.segments.emplace_back())) return false;
  }
}

bool JsonPathParser::segment(Segment& segment) {
  segment.descendant = take("..");
  if (segment.descendant || peek() == '[') {
    if (peek() == '[') return bracketed(segment);
  } else {
    take(".");
  }
  Selector& only = segment.selectors.emplace_back();
  if (take("*")) return true;
  only.kind = Selector::Kind::name;
  return shorthand_name(only.name);
}

bool JsonPathParser::shorthand_name(std::string& name) {
  if (!begins_name(peek())) return fail("expected a name or \"*\"");
  const std::size_t from = at_;
  while (begins_name(peek()) || ascii::is_digit(peek())) ++at_;
  name = text_.substr(from, at_ - from);
  return true;
}

bool JsonPathParser::bracketed(Segment& segment) {
  take("[");
  do {
    skip_space();
    if (!selector(segment.selectors.emplace_back())) return false;
    skip_space();
  } while (take(","));
  return take("]") || fail("expected \",\" or \"]\"");
}

bool JsonPathParser::selector(Selector& selector) {
  const char c = peek();
  if (take("*")) return true;
  if (c == '"' || c == '\'') {
    selector.kind = Selector::Kind::name;
    return string_literal(selector.name);
  }
  if (take("?")) {
    skip_space();
    selector.kind = Selector::Kind::filter;
    selector.filter = std::make_unique<Expression>();
    return nested(*selector.filter);
  }
  if (c == ':' || c == '-' || ascii::is_digit(c)) return index_or_slice(selector);
  return fail("expected a name in quotes, an index, a slice, \"*\" or \"?\"");
}

bool JsonPathParser::index_or_slice(Selector& selector) {
  const auto optional_integer = [this](std::optional<std::int64_t>& value) {
    return (peek() != '-' && !ascii::is_digit(peek())) || integer(value.emplace());
  };
  if (!optional_integer(selector.start)) return false;
  skip_space();
  selector.kind = peek() == ':' ? Selector::Kind::slice : Selector::Kind::index;
  if (!take(":")) return true;
  skip_space();
  if (!optional_integer(selector.end)) return false;
  skip_space();
  if (!take(":")) return true;
  skip_space();
  std::optional<std::int64_t> step;
  if (!optional_integer(step)) return false;
  selector.step = step.value_or(1);
  return true;
}

bool JsonPathParser::integer(std::int64_t& value) {
  const std::size_t from = at_;
  const bool negative = take("-");
  const char first = peek();
  if (!take_digits()) return fail("expected a digit");
  const std::string_view digits = text_.substr(from, at_ - from);
  if (first == '0' && (negative || digits.size() > 1))
    return fail("an integer has no leading zero, and zero no sign,", from);
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (result.ec != std::errc() || value > integer_max || value < -integer_max)
    return fail("an index must lie between -(2^53 - 1) and 2^53 - 1,", from);
  return true;
}

bool JsonPathParser::string_literal(std::string& value) {
  const char quote = peek();
  ++at_;
  while (at_ < text_.size() && peek() != quote) {
    if (static_cast<unsigned char>(peek()) < 0x20)
      return fail("a control character must be escaped");
    if (peek() != '\\')
      value += text_[at_++];
    else if (++at_; !escape(quote, value))
      return false;
  }
  if (at_ == text_.size()) return fail("a string is not closed");
  ++at_;
  return true;
}

bool JsonPathParser::escape(char quote, std::string& value) {
  const char c = peek();
  if (c == 'u') {
    ++at_;
    return hex_escape(value);
  }
  constexpr std::string_view names = "bfnrt/\\";
  constexpr std::string_view meanings = "\b\f\n\r\t/\\";
  const std::size_t known = names.find(c);
  if (c != quote && (c == '\0' || known == std::string_view::npos))
    return fail("there is no such escape");
  value += c == quote ? quote : meanings[known];
  ++at_;
  return true;
}

// The standard takes no half of a surrogate pair.
bool JsonPathParser::hex_escape(std::string& value) {
  const std::size_t from = at_ - 2;
  unsigned code = 0;
  if (!hex_digits(code)) return false;
  if (code >= 0xD800 && code < 0xE000) {
    unsigned low = 0;
    if (code >= 0xDC00 || !take("\\u") || !hex_digits(low) || low < 0xDC00 || low >= 0xE000)
      return fail("half of a surrogate pair", from);
  }
  value += unescaped_string(text_.substr(from, at_ - from));
  return true;
}

bool JsonPathParser::hex_digits(unsigned& value) {
  const std::string_view digits = text_.substr(at_, 4);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() < 4 || end != digits.data() + 4)
    return fail("expected four hexadecimal digits");
  at_ += 4;
  return true;
}

std::optional<Query> parse_jsonpath(std::string_view text, std::string& fault) {
  JsonPathParser parser(text);
  std::optional<Query> query(std::in_place);
  if (!parser.parse(*query)) {
    fault = parser.fault();
    query.reset();
  }
  return query;
}

std::string jsonpath_fault(std::string_view text) {
  std::string fault;
  parse_jsonpath(text, fault);
  return fault;
}

}  // namespace fetchmill::workers::json
