#include "workers/ops/css_match.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <string>

namespace fetchmill::workers::ops {
namespace {

using SelectorKind = SimpleSelector::Kind;
using Test = SimpleSelector::Test;

const GumboNode* parent_element(const GumboNode& node) {
  return node.parent != nullptr && is_element(*node.parent) ? node.parent : nullptr;
}

const GumboNode* previous_element(const GumboNode& node) {
  const auto siblings = children(*node.parent);
  for (std::size_t i = node.index_within_parent; i-- > 0;)
    if (is_element(*siblings[i])) return siblings[i];
  return nullptr;
}

bool has_word(std::string_view text, std::string_view word, bool ignore_case) {
  if (word.empty() || word.find_first_of(ascii::whitespace) != word.npos) return false;
  while (!text.empty()) {
    const std::size_t start = std::min(text.find_first_not_of(ascii::whitespace), text.size());
    text.remove_prefix(start);
    const std::size_t end = std::min(text.find_first_of(ascii::whitespace), text.size());
    const std::string_view found = text.substr(0, end);
    if (ignore_case ? ascii::equals_ignoring_case(found, word) : found == word) return true;
    text.remove_prefix(end);
  }
  return false;
}

bool passes(std::string_view text, const SimpleSelector& simple) {
  const std::string_view wanted = simple.value;
  const auto same = [&](std::string_view a, std::string_view b) {
    return simple.ignore_case ? ascii::equals_ignoring_case(a, b) : a == b;
  };
  switch (simple.test) {
    case Test::exists:
      return true;
    case Test::equals:
      return same(text, wanted);
    case Test::word:
      return has_word(text, wanted, simple.ignore_case);
    case Test::dash:
      return same(text.substr(0, wanted.size()), wanted) &&
             (text.size() <= wanted.size() || text[wanted.size()] == '-');
    case Test::prefix:
      return !wanted.empty() && same(text.substr(0, wanted.size()), wanted);
    case Test::suffix:
      return !wanted.empty() && text.size() >= wanted.size() &&
             same(text.substr(text.size() - wanted.size()), wanted);
    case Test::substring: {
      if (wanted.empty()) return false;
      if (!simple.ignore_case) return text.find(wanted) != text.npos;
      const auto is_same = [](char x, char y) { return ascii::to_lower(x) == ascii::to_lower(y); };
      return std::search(text.begin(), text.end(), wanted.begin(), wanted.end(), is_same) !=
             text.end();
    }
  }
  return false;
}

bool is_empty(const GumboNode& element) {
  return std::ranges::none_of(
      children(element), [](const GumboNode* child) { return child->type != GUMBO_NODE_COMMENT; });
}

bool is_form_control(const GumboNode& element) {
  switch (html_tag(element)) {
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_INPUT:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_OPTGROUP:
    case GUMBO_TAG_OPTION:
    case GUMBO_TAG_FIELDSET:
      return true;
    default:
      return false;
  }
}

bool is_checked(const GumboNode& element) {
  const GumboTag tag = html_tag(element);
  if (tag == GUMBO_TAG_OPTION) return attribute(element, "selected").has_value();
  const std::string_view type = attribute_or_empty(element, "type");
  return tag == GUMBO_TAG_INPUT && attribute(element, "checked") &&
         (ascii::equals_ignoring_case(type, "checkbox") ||
          ascii::equals_ignoring_case(type, "radio"));
}

}  // namespace

std::vector<const GumboNode*> SelectorMatcher::select(const GumboNode& top,
                                                      const SelectorList& list) {
  std::vector<const GumboNode*> found;
  auto look = [&](const GumboNode& element) {
    if (!exhausted() && matches(element, list, &top)) found.push_back(&element);
  };
  for_each_element(top, look);
  if (exhausted()) found.clear();
  return found;
}

const GumboNode* SelectorMatcher::first(const GumboNode& top, const SelectorList& list) {
  const auto is_top = [&](const ComplexSelector& complex) {
    const CompoundSelector& subject = complex.compounds.back();
    return std::ranges::find(subject, SelectorKind::scope, &SimpleSelector::kind) !=
               subject.end() &&
           matches(top, complex, complex.compounds.size() - 1, &top);
  };
  if (std::ranges::any_of(list.any_of, is_top)) return &top;
  return first_inside(top, list, top);
}

const GumboNode* SelectorMatcher::first_inside(const GumboNode& top, const SelectorList& list,
                                               const GumboNode& scope) {
  if (top.type == GUMBO_NODE_TEMPLATE) return nullptr;
  for (const GumboNode* child : children(top)) {
    if (!is_element(*child)) continue;
    if (exhausted()) return nullptr;
    if (matches(*child, list, &scope)) return child;
    if (const GumboNode* inside = first_inside(*child, list, scope)) return inside;
  }
  return nullptr;
}

bool SelectorMatcher::matches(const GumboNode& element, const SelectorList& list,
                              const GumboNode* scope) {
  return std::ranges::any_of(list.any_of, [&](const ComplexSelector& complex) {
    return matches(element, complex, complex.compounds.size() - 1, scope);
  });
}

bool SelectorMatcher::matches(const GumboNode& element, const ComplexSelector& complex,
                              std::size_t i, const GumboNode* scope) {
  for (const SimpleSelector& simple : complex.compounds[i])
    if (!matches(element, simple, scope)) return false;
  if (i == 0) return true;
  const char combinator = complex.combinators[i - 1];
  const bool is_sibling = combinator == '+' || combinator == '~';
  const GumboNode* node = &element;
  do {
    if (++steps_ > selector_steps_max) return false;
    node = is_sibling ? previous_element(*node) : parent_element(*node);
    if (node == nullptr) return false;
    if (matches(*node, complex, i - 1, scope)) return true;
  } while (combinator == ' ' || combinator == '~');
  return false;
}

bool SelectorMatcher::matches(const GumboNode& element, const SimpleSelector& simple,
                              const GumboNode* scope) {
  if (++steps_ > selector_steps_max) return false;
  switch (simple.kind) {
    case SelectorKind::universal:
      return true;
    case SelectorKind::type:
      return ascii::equals_ignoring_case(tag_name(element), simple.name);
    case SelectorKind::id:
      return attribute_or_empty(element, "id") == simple.name;
    case SelectorKind::class_name:
      return has_word(attribute_or_empty(element, "class"), simple.name, false);
    case SelectorKind::attribute: {
      const auto value = attribute(element, simple.name.c_str());
      return value && passes(*value, simple);
    }
    case SelectorKind::never:
      return false;
    case SelectorKind::language:
      return is_in_language(element, simple.name);
    case SelectorKind::root:
      return parent_element(element) == nullptr;
    case SelectorKind::empty:
      return is_empty(element);
    case SelectorKind::scope:
      return &element == scope;
    case SelectorKind::link:
      return (html_tag(element) == GUMBO_TAG_A || html_tag(element) == GUMBO_TAG_AREA) &&
             attribute(element, "href").has_value();
    case SelectorKind::checked:
      return is_checked(element);
    case SelectorKind::disabled:
      return is_form_control(element) && attribute(element, "disabled").has_value();
    case SelectorKind::enabled:
      return is_form_control(element) && !attribute(element, "disabled");
    case SelectorKind::nth:
      return is_nth(element, simple);
    case SelectorKind::only: {
      const Place& p = place(element);
      return simple.of_type ? p.of_type_from_start == 1 && p.of_type_from_end == 1
                            : p.from_start == 1 && p.from_end == 1;
    }
    case SelectorKind::matches:
      return matches(element, simple.inner.front(), scope);
    case SelectorKind::excludes:
      return !matches(element, simple.inner.front(), scope);
    case SelectorKind::has:
      return has(element, simple.inner.front());
  }
  return false;
}

// What the nearest lang says: "en" is said by "en" and by "en-GB".
bool SelectorMatcher::is_in_language(const GumboNode& element, std::string_view language) {
  for (const GumboNode* node = &element; node != nullptr; node = parent_element(*node)) {
    if (++steps_ > selector_steps_max) return false;
    const auto said = attribute(*node, "lang");
    if (!said) continue;
    return !language.empty() &&
           ascii::equals_ignoring_case(said->substr(0, language.size()), language) &&
           (said->size() == language.size() || (*said)[language.size()] == '-');
  }
  return false;
}

bool SelectorMatcher::has(const GumboNode& element, const SelectorList& list) {
  return std::ranges::any_of(list.any_of, [&](const ComplexSelector& complex) {
    const char combinator = complex.combinators.front();
    if (combinator == ' ' || combinator == '>') return has_inside(element, complex, element);
    const auto siblings = children(*element.parent);
    for (std::size_t i = element.index_within_parent + 1; i < siblings.size(); ++i) {
      if (exhausted()) return false;
      if (!is_element(*siblings[i])) continue;
      if (matches(*siblings[i], complex, complex.compounds.size() - 1, &element)) return true;
      if (has_inside(*siblings[i], complex, element)) return true;
    }
    return false;
  });
}

bool SelectorMatcher::has_inside(const GumboNode& parent, const ComplexSelector& complex,
                                 const GumboNode& scope) {
  if (parent.type == GUMBO_NODE_TEMPLATE) return false;
  return std::ranges::any_of(children(parent), [&](const GumboNode* child) {
    if (!is_element(*child) || exhausted()) return false;
    return matches(*child, complex, complex.compounds.size() - 1, &scope) ||
           has_inside(*child, complex, scope);
  });
}

const SelectorMatcher::Place& SelectorMatcher::place(const GumboNode& element) {
  if (const auto known = places_.find(&element); known != places_.end()) return known->second;
  const auto siblings = children(*element.parent);
  std::unordered_map<std::string_view, long> types;
  long count = 0;
  const auto number = [&](const GumboNode* sibling, long& among_all, long& of_type) {
    among_all = ++count;
    of_type = ++types[tag_name(*sibling)];
  };
  for (const GumboNode* sibling : siblings) {
    if (!is_element(*sibling)) continue;
    Place& p = places_[sibling];
    number(sibling, p.from_start, p.of_type_from_start);
  }
  count = 0;
  types.clear();
  for (std::size_t i = siblings.size(); i-- > 0;) {
    if (!is_element(*siblings[i])) continue;
    Place& p = places_[siblings[i]];
    number(siblings[i], p.from_end, p.of_type_from_end);
  }
  return places_.at(&element);
}

bool SelectorMatcher::is_nth(const GumboNode& element, const SimpleSelector& simple) {
  const Place& p = place(element);
  const long index = simple.of_type ? (simple.from_end ? p.of_type_from_end : p.of_type_from_start)
                                    : (simple.from_end ? p.from_end : p.from_start);
  // index == a·n + b for some n of 0 and more
  const long rest = index - simple.b;
  if (simple.a == 0) return rest == 0;
  return rest % simple.a == 0 && rest / simple.a >= 0;
}

}  // namespace fetchmill::workers::ops
