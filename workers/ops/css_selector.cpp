#include "workers/ops/css_selector.hpp"

#include "config/ascii.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

namespace fetchmill::workers::ops {
namespace {

using SelectorKind = SimpleSelector::Kind;
using Test = SimpleSelector::Test;

struct PseudoClass {
  std::string_view name;
  SelectorKind kind;
  bool of_type = false;
  bool from_end = false;
  long b = 0;  // of nth without an argument
};
constexpr PseudoClass plain_pseudo_classes[] = {
    {"root", SelectorKind::root},
    {"empty", SelectorKind::empty},
    {"scope", SelectorKind::scope},
    {"link", SelectorKind::link},
    {"any-link", SelectorKind::link},
    {"checked", SelectorKind::checked},
    {"disabled", SelectorKind::disabled},
    {"enabled", SelectorKind::enabled},
    {"first-child", SelectorKind::nth, false, false, 1},
    {"last-child", SelectorKind::nth, false, true, 1},
    {"first-of-type", SelectorKind::nth, true, false, 1},
    {"last-of-type", SelectorKind::nth, true, true, 1},
    {"only-child", SelectorKind::only},
    {"only-of-type", SelectorKind::only, true},
    {"visited", SelectorKind::never},
    {"target", SelectorKind::never},
    {"hover", SelectorKind::never},
    {"active", SelectorKind::never},
    {"focus", SelectorKind::never},
    {"focus-within", SelectorKind::never},
    {"focus-visible", SelectorKind::never},
};
constexpr PseudoClass functions[] = {
    {"nth-child", SelectorKind::nth},
    {"nth-last-child", SelectorKind::nth, false, true},
    {"nth-of-type", SelectorKind::nth, true},
    {"nth-last-of-type", SelectorKind::nth, true, true},
    {"is", SelectorKind::matches},
    {"where", SelectorKind::matches},
    {"matches", SelectorKind::matches},
    {"not", SelectorKind::excludes},
    {"has", SelectorKind::has},
    {"lang", SelectorKind::language},
};

bool is_name_start(char c) {
  return ascii::is_letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_name(char c) {
  return is_name_start(c) || ascii::is_digit(c) || c == '-';
}

SimpleSelector of_kind(SelectorKind kind) {
  SimpleSelector simple;
  simple.kind = kind;
  return simple;
}

// Recursive descent; the first fault ends it.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  bool parse(SelectorList& list) { return selector_list(list, false, '\0'); }
  const std::string& fault() const { return fault_; }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool at_end() const { return at_ >= text_.size(); }
  // A comment separates nothing: "a/**/.b" is "a.b".
  void skip_comments() {
    while (peek() == '/' && peek(1) == '*') {
      const std::size_t end = text_.find("*/", at_ + 2);
      if (end == text_.npos) return;
      at_ = end + 2;
    }
  }
  // And comments. Whether there was any space.
  bool skip_space() {
    bool space = false;
    for (;;) {
      skip_comments();
      if (at_end() || !ascii::is_whitespace(peek())) return space;
      space = true;
      ++at_;
    }
  }
  bool take(char c) {
    if (at_end() || peek() != c) return false;
    ++at_;
    return true;
  }
  bool fail(std::string_view what, std::size_t at) {
    if (fault_.empty()) fault_ = std::string(what) + " at position " + std::to_string(at + 1);
    return false;
  }
  bool fail(std::string_view what) { return fail(what, at_); }

  // Up to `end`, which is not taken.
  bool selector_list(SelectorList& list, bool relative, char end) {
    for (;;) {
      skip_space();
      if (!complex(list.any_of.emplace_back(), relative, end)) return false;
      if (!take(',')) break;
    }
    if (end == '\0' ? at_end() : peek() == end) return true;
    return fail(end == '\0' ? "this cannot stand here" : "expected ')'");
  }

  bool complex(ComplexSelector& complex, bool relative, char end) {
    if (relative) {
      complex.compounds.push_back({of_kind(SelectorKind::scope)});
      char combinator = ' ';
      if (peek() == '>' || peek() == '+' || peek() == '~') combinator = text_[at_++];
      complex.combinators.push_back(combinator);
      skip_space();
    }
    for (;;) {
      if (!compound(complex.compounds.emplace_back())) return false;
      const bool space = skip_space();
      if (at_end() || peek() == ',' || (end != '\0' && peek() == end)) return true;
      char combinator = ' ';
      if (peek() == '>' || peek() == '+' || peek() == '~')
        combinator = text_[at_++];
      else if (!space)
        return fail("this cannot stand here");
      complex.combinators.push_back(combinator);
      skip_space();
    }
  }

  bool compound(CompoundSelector& compound) {
    const std::size_t start = at_;
    if (!type(compound)) return false;
    for (;;) {
      skip_comments();
      SimpleSelector simple;
      if (take('#')) {
        simple.kind = SelectorKind::id;
        if (!is_name(peek()) && peek() != '\\') return fail("expected a name after '#'");
        read_name(simple.name);
      } else if (take('.')) {
        simple.kind = SelectorKind::class_name;
        if (!name(simple.name)) return false;
      } else if (take('[')) {
        if (!attribute(simple)) return false;
      } else if (take(':')) {
        if (!pseudo_class(simple)) return false;
      } else {
        break;
      }
      compound.push_back(std::move(simple));
    }
    return at_ > start || fail(at_end() ? "it ends too early" : "expected a selector");
  }

  // "p", "*", or neither; before them "*|" for any namespace, or "|" for none, in which a page has
  // no elements.
  bool type(CompoundSelector& compound) {
    const bool has_space = peek() == '|' || (peek() == '*' && peek(1) == '|');
    if (has_space) {
      if (!take('*')) compound.push_back(of_kind(SelectorKind::never));
      ++at_;
    }
    if (take('*')) {
      compound.push_back(of_kind(SelectorKind::universal));
    } else if (has_space || is_name_start(peek()) || peek() == '\\' || peek() == '-') {
      SimpleSelector named = of_kind(SelectorKind::type);
      if (!name(named.name)) return false;
      compound.push_back(std::move(named));
    }
    return peek() != '|' || fail("namespaces are not supported");
  }

  bool name(std::string& out) {
    const bool dash = peek() == '-';
    const char first = peek(dash ? 1 : 0);
    if (!is_name_start(first) && first != '\\' && !(dash && first == '-'))
      return fail("expected a name");
    read_name(out);
    return true;
  }

  void read_name(std::string& out) {
    while (!at_end()) {
      if (is_name(peek()))
        out += text_[at_++];
      else if (peek() == '\\' && at_ + 1 < text_.size() && peek(1) != '\n')
        escape(out);
      else
        break;
    }
  }

  void escape(std::string& out) {
    ++at_;
    if (ascii::hex_value(peek()) < 0) {
      out += text_[at_++];
      return;
    }
    unsigned code = 0;
    for (int i = 0; i < 6 && !at_end() && ascii::hex_value(peek()) >= 0; ++i)
      code = code * 16 + static_cast<unsigned>(ascii::hex_value(text_[at_++]));
    if (!at_end() && ascii::is_whitespace(peek())) ++at_;
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
    config::append_utf8(out, code);
  }

  bool attribute(SimpleSelector& simple) {
    simple.kind = SelectorKind::attribute;
    skip_space();
    if (!name(simple.name)) return false;
    simple.name = ascii::to_lower(simple.name);
    skip_space();
    if (take(']')) return true;
    if (!attribute_test(simple.test)) return false;
    skip_space();
    if (peek() == '"' || peek() == '\'') {
      if (!quoted(simple.value)) return false;
    } else if (!name(simple.value)) {
      return false;
    }
    skip_space();
    if (peek() == 'i' || peek() == 'I' || peek() == 's' || peek() == 'S') {
      simple.ignore_case = peek() == 'i' || peek() == 'I';
      ++at_;
      skip_space();
    }
    return take(']') || fail("expected ']'");
  }

  bool attribute_test(Test& test) {
    constexpr std::string_view signs = "=~|^$*";
    constexpr Test tests[] = {Test::equals, Test::word,   Test::dash,
                              Test::prefix, Test::suffix, Test::substring};
    const std::size_t sign = at_end() ? signs.npos : signs.find(peek());
    if (sign == signs.npos) return fail("expected an operator or ']'");
    test = tests[sign];
    ++at_;
    return test == Test::equals || take('=') || fail("expected '='");
  }

  bool quoted(std::string& out) {
    const std::size_t start = at_;
    const char quote = text_[at_++];
    while (!at_end() && peek() != quote) {
      if (peek() == '\n') return fail("a line ends inside a string");
      if (peek() != '\\') {
        out += text_[at_++];
      } else if (peek(1) == '\n') {
        at_ += 2;
      } else if (at_ + 1 < text_.size()) {
        escape(out);
      } else {
        ++at_;
      }
    }
    return take(quote) || fail("a string does not end", start);
  }

  bool pseudo_class(SimpleSelector& simple) {
    const std::size_t start = at_ - 1;
    if (peek() == ':') return fail("pseudo-elements are not supported", start);
    std::string word;
    if (!name(word)) return false;
    word = ascii::to_lower(word);
    const bool is_function = take('(');
    const std::span<const PseudoClass> known =
        is_function ? std::span<const PseudoClass>(functions) : plain_pseudo_classes;
    const auto found = std::ranges::find(known, word, &PseudoClass::name);
    if (found == known.end())
      return fail("':" + word + (is_function ? "()" : "") + "' is not supported", start);
    simple.kind = found->kind;
    simple.of_type = found->of_type;
    simple.from_end = found->from_end;
    simple.b = found->b;
    return !is_function || argument(simple, start);
  }

  bool argument(SimpleSelector& simple, std::size_t start) {
    if (simple.kind == SelectorKind::nth) {
      skip_space();
      if (!formula(simple.a, simple.b)) return false;
      skip_space();
      return take(')') || fail("expected ')'");
    }
    if (simple.kind == SelectorKind::language) {
      skip_space();
      const bool is_quoted = peek() == '"' || peek() == '\'';
      if (!(is_quoted ? quoted(simple.name) : name(simple.name))) return false;
      skip_space();
      return take(')') || fail("expected ')'");
    }
    const bool is_has = simple.kind == SelectorKind::has;
    if (is_has && in_has_) return fail("':has()' cannot stand inside ':has()'", start);
    if (++depth_ > selector_depth_max) return fail("parentheses nest too deep", start);
    const bool outer = in_has_;
    in_has_ = in_has_ || is_has;
    const bool good = selector_list(simple.inner.emplace_back(), is_has, ')');
    in_has_ = outer;
    --depth_;
    return good && take(')');
  }

  // "2n+1", "odd", "-n + 3", "5".
  bool formula(long& a, long& b) {
    for (const auto& [word, b_of] : {std::pair<std::string_view, long>{"odd", 1}, {"even", 0}}) {
      if (!ascii::equals_ignoring_case(text_.substr(at_, word.size()), word)) continue;
      at_ += word.size();
      a = 2;
      b = b_of;
      return true;
    }
    const bool minus = peek() == '-';
    if (minus || peek() == '+') ++at_;
    long number = 1;
    const bool has_number = ascii::is_digit(peek());
    if (has_number && !integer(number)) return false;
    if (minus) number = -number;
    if (peek() != 'n' && peek() != 'N') {
      if (!has_number) return fail("expected a number, 'odd', 'even' or a formula like 2n+1");
      a = 0;
      b = number;
      return true;
    }
    ++at_;
    a = number;
    b = 0;
    skip_space();
    if (peek() != '+' && peek() != '-') return true;
    const bool less = text_[at_++] == '-';
    skip_space();
    if (!ascii::is_digit(peek())) return fail("expected a number");
    if (!integer(b)) return false;
    if (less) b = -b;
    return true;
  }

  bool integer(long& out) {
    const char* begin = text_.data() + at_;
    const char* limit = text_.data() + text_.size();
    const auto [end, problem] = std::from_chars(begin, limit, out);
    if (problem != std::errc() || out > 1'000'000'000) return fail("the number is too large");
    at_ += static_cast<std::size_t>(end - begin);
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string fault_;
  std::size_t depth_ = 0;
  bool in_has_ = false;
};

}  // namespace

config::BasicResult<SelectorList, std::string> parse_selector(std::string_view text) {
  if (text.size() > selector_bytes_max)
    return "it is longer than " + std::to_string(selector_bytes_max) + " bytes";
  Parser parser(text);
  SelectorList list;
  if (!parser.parse(list)) return parser.fault();
  return list;
}

}  // namespace fetchmill::workers::ops
