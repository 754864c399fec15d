// Filters: conditions, comparisons and the standard's functions.
#include "workers/json/iregexp.hpp"
#include "workers/json/json_number.hpp"
#include "workers/json/jsonpath_evaluator.hpp"

#include <algorithm>

#include <re2/re2.h>

namespace fetchmill::workers::json {
namespace {

// A document may bring a pattern of its own for each item; compiling one takes many steps.
constexpr std::size_t patterns_max = 64;
constexpr std::uint64_t pattern_steps = 5000;

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

bool JsonPathEvaluator::holds(const Expression& expression, Index current) {
  const auto operand_holds = [&](const Expression& operand) { return holds(operand, current); };
  switch (expression.kind) {
    case Expression::Kind::any_of:
      return std::ranges::any_of(expression.operands, operand_holds);
    case Expression::Kind::all_of:
      return std::ranges::all_of(expression.operands, operand_holds);
    case Expression::Kind::negation:
      return !holds(expression.operands[0], current);
    case Expression::Kind::comparison:
      return compare(expression, current);
    case Expression::Kind::exists:
      return expression.query.is_singular() ? select_one(expression.query, current).has_value()
                                            : !select(expression.query, current).empty();
    default:
      return matches(expression, current);
  }
}

bool JsonPathEvaluator::compare(const Expression& expression, Index current) {
  const Value a = value_of(expression.operands[0], current);
  const Value b = value_of(expression.operands[1], current);
  if (!spend(5 + std::min(a.characters().size(), b.characters().size()) / 16)) return false;
  switch (expression.comparison) {
    case Comparison::equal:
      return equal(a, b);
    case Comparison::not_equal:
      return !equal(a, b);
    case Comparison::less:
      return less(a, b);
    case Comparison::less_or_equal:
      return less(a, b) || equal(a, b);
    case Comparison::greater:
      return less(b, a);
    default:
      return less(b, a) || equal(a, b);
  }
}

JsonPathEvaluator::Value JsonPathEvaluator::value_of_node(Index node) {
  Value value;
  value.kind = (*tree_)[node].kind();
  value.node = node;
  if (value.kind == JsonTree::Kind::number) value.text = tree_->text(node);
  if (value.kind == JsonTree::Kind::string) {
    value.text = tree_->raw_string(node);
    if (value.text.find('\\') != std::string_view::npos) {
      spend(value.text.size() / 4);
      value.own = unescaped_string(value.text);
    }
  }
  return value;
}

JsonPathEvaluator::Value JsonPathEvaluator::value_of(const Expression& expression, Index current) {
  if (expression.kind == Expression::Kind::call) return call(expression, current);
  if (expression.kind == Expression::Kind::query) {
    const std::optional<Index> node = select_one(expression.query, current);
    return node ? value_of_node(*node) : Value();
  }
  Value value;
  value.kind = expression.literal_kind;
  value.text = expression.literal;
  return value;
}

JsonPathEvaluator::Value JsonPathEvaluator::call(const Expression& expression, Index current) {
  const Expression& argument = expression.operands[0];
  if (expression.function == Function::length) {
    const Value of = value_of(argument, current);
    Value length;
    const bool is_string = of.kind == JsonTree::Kind::string;
    if (!is_string && of.kind != JsonTree::Kind::array && of.kind != JsonTree::Kind::object)
      return length;
    spend(of.characters().size() / 16);
    length.kind = JsonTree::Kind::number;
    length.own = std::to_string(is_string ? count_characters(of.characters())
                                          : (*tree_)[of.node].child_count);
    return length;
  }
  const Nodes nodes = select(argument.query, current);
  if (expression.function == Function::value)
    return nodes.size() == 1 ? value_of_node(nodes[0]) : Value();
  Value count;
  count.kind = JsonTree::Kind::number;
  count.own = std::to_string(nodes.size());
  return count;
}

bool JsonPathEvaluator::equal(const Value& a, const Value& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == JsonTree::Kind::number)
    return compare_json_numbers(a.characters(), b.characters()) == std::strong_ordering::equal;
  if (a.kind == JsonTree::Kind::string) return a.characters() == b.characters();
  if (a.kind == JsonTree::Kind::array || a.kind == JsonTree::Kind::object)
    return equal_containers(a.node, b.node);
  return true;
}

// Recurses as deep as the document, which is bounded.
bool JsonPathEvaluator::equal_containers(Index a, Index b) {
  const JsonTree::Node& node = (*tree_)[a];
  if (node.child_count != (*tree_)[b].child_count) return false;
  const bool is_object = node.kind() == JsonTree::Kind::object;
  using Child = std::pair<std::string, Index>;
  const auto children = [&](Index container) {
    std::vector<Child> list;
    tree_->for_each_child(container, [&](Index child) {
      list.emplace_back(is_object ? key_text(child) : std::string(), child);
      return spend(4);
    });
    if (is_object) std::ranges::stable_sort(list, {}, &Child::first);
    return list;
  };
  const std::vector<Child> left = children(a);
  const std::vector<Child> right = children(b);
  if (stop_ != Stop::none) return false;
  return std::ranges::equal(left, right, [this](const Child& x, const Child& y) {
    return x.first == y.first && equal(value_of_node(x.second), value_of_node(y.second));
  });
}

bool JsonPathEvaluator::less(const Value& a, const Value& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == JsonTree::Kind::number)
    return compare_json_numbers(a.characters(), b.characters()) == std::strong_ordering::less;
  return a.kind == JsonTree::Kind::string && a.characters() < b.characters();
}

bool JsonPathEvaluator::matches(const Expression& call, Index current) {
  const Value text = value_of(call.operands[0], current);
  const Value wanted = value_of(call.operands[1], current);
  if (text.kind != JsonTree::Kind::string || wanted.kind != JsonTree::Kind::string) return false;
  if (!spend(16 + text.characters().size())) return false;
  const re2::RE2* re2 = pattern(wanted.characters());
  if (re2 == nullptr) return false;
  return call.function == Function::match ? re2::RE2::FullMatch(text.characters(), *re2)
                                          : re2::RE2::PartialMatch(text.characters(), *re2);
}

// Null for what is no I-Regexp: it matches nothing.
const re2::RE2* JsonPathEvaluator::pattern(std::string_view iregexp) {
  const auto known = patterns_.find(std::string(iregexp));
  if (known != patterns_.end()) return known->second.get();
  if (!spend(pattern_steps + iregexp.size() * 50)) return nullptr;
  std::unique_ptr<re2::RE2> compiled;
  if (const auto translated = iregexp_to_re2(iregexp)) {
    compiled = std::make_unique<re2::RE2>(*translated, re2::RE2::Quiet);
    if (!compiled->ok()) compiled.reset();
  }
  if (patterns_.size() == patterns_max) patterns_.clear();
  return patterns_.emplace(iregexp, std::move(compiled)).first->second.get();
}

}  // namespace fetchmill::workers::json
