// Which elements of a page a selector matches.
//
// Right to left, with the place of each element among its siblings counted once. What it looks at
// is bounded, because selectors with several descendant combinators and :has can take more than
// linear time.
// Lifetime: the page and the selectors outlive the matcher.
// Trust: page and selector are untrusted.
#pragma once

#include "workers/ops/css_selector.hpp"
#include "workers/ops/html_document.hpp"

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace fetchmill::workers::ops {

// How many simple selectors are held against elements, in all.
inline constexpr std::uint64_t selector_steps_max = 100'000'000;

class SelectorMatcher {
 public:
  // In document order, `top` itself included. Empty, and exhausted(), when it takes too many steps.
  std::vector<const GumboNode*> select(const GumboNode& top, const SelectorList& list);
  // The first of them inside `top`, or null; or `top` itself, where a selector says :scope of it.
  const GumboNode* first(const GumboNode& top, const SelectorList& list);
  bool exhausted() const { return steps_ > selector_steps_max; }

 private:
  // One-based places among the element siblings.
  struct Place {
    long from_start = 0;
    long from_end = 0;
    long of_type_from_start = 0;
    long of_type_from_end = 0;
  };

  const GumboNode* first_inside(const GumboNode& top, const SelectorList& list,
                                const GumboNode& scope);
  bool matches(const GumboNode& element, const SelectorList& list, const GumboNode* scope);
  // Whether `element` matches compound `i` and what is left of it matches the ones before.
  bool matches(const GumboNode& element, const ComplexSelector& complex, std::size_t i,
               const GumboNode* scope);
  bool matches(const GumboNode& element, const SimpleSelector& simple, const GumboNode* scope);
  bool is_in_language(const GumboNode& element, std::string_view language);
  bool has(const GumboNode& element, const SelectorList& list);
  bool has_inside(const GumboNode& parent, const ComplexSelector& complex, const GumboNode& scope);
  const Place& place(const GumboNode& element);
  bool is_nth(const GumboNode& element, const SimpleSelector& simple);

  std::unordered_map<const GumboNode*, Place> places_;
  std::uint64_t steps_ = 0;
};

}  // namespace fetchmill::workers::ops
