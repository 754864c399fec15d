// CSS selectors as values: Selectors Level 3, and :is, :where, :not and :has of Level 4.
//
// Not supported, and refused by name: pseudo-elements (::before), namespaces other than "*|" and
// "|", :indeterminate, :has in :has, "of S" in :nth-child. :root, :empty, :link, :checked,
// :disabled, :enabled look at the page alone; what only a user brings about, such as :hover, is
// never there.
// Bounds: selector_bytes_max, selector_depth_max levels of parentheses.
// Errors: of parse_selector: what is wrong, and where, in words.
// Trust: untrusted.
#pragma once

#include "config/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::workers::ops {

inline constexpr std::size_t selector_bytes_max = 4096;
inline constexpr std::size_t selector_depth_max = 8;

struct SelectorList;

struct SimpleSelector {
  enum class Kind : std::uint8_t {
    universal,
    type,
    id,
    class_name,
    attribute,
    never,     // :hover and the like
    language,  // in `name`
    root,
    empty,
    scope,  // what :has was asked of, or what is searched
    link,
    checked,
    disabled,
    enabled,
    nth,      // a·n+b-th, from the start or the end, of all or of one type
    only,     // first and last at once
    matches,  // :is, :where
    excludes,
    has,
  };
  enum class Test : std::uint8_t { exists, equals, word, dash, prefix, suffix, substring };

  Kind kind = Kind::universal;
  std::string name;   // of a type, attribute, class, id or language
  std::string value;  // of an attribute
  Test test = Test::exists;
  bool ignore_case = false;  // the attribute's value
  bool of_type = false;
  bool from_end = false;
  long a = 0;
  long b = 0;
  std::vector<SelectorList> inner;  // of matches, excludes and has: one
};

using CompoundSelector = std::vector<SimpleSelector>;

struct ComplexSelector {
  std::vector<CompoundSelector> compounds;  // left to right
  std::vector<char> combinators;            // between them: ' ', '>', '+', '~'
};

struct SelectorList {
  std::vector<ComplexSelector> any_of;
};

// The error says what and where: "expected a name at position 4".
config::BasicResult<SelectorList, std::string> parse_selector(std::string_view text);

}  // namespace fetchmill::workers::ops
