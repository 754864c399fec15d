// Filters: logical expressions, comparisons, function calls, and whether they are well-typed.
#include "config/ascii.hpp"
#include "workers/json/jsonpath_parser.hpp"

#include <algorithm>

namespace fetchmill::workers::json {
namespace {

enum class Type : std::uint8_t { value, nodes, condition };

struct Signature {
  std::string_view name;
  Function function;
  Type result;
  std::vector<Type> parameters;
};

const Signature* find_function(std::string_view name) {
  static const Signature signatures[] = {
      {"length", Function::length, Type::value, {Type::value}},
      {"count", Function::count, Type::value, {Type::nodes}},
      {"match", Function::match, Type::condition, {Type::value, Type::value}},
      {"search", Function::search, Type::condition, {Type::value, Type::value}},
      {"value", Function::value, Type::value, {Type::nodes}},
  };
  const auto* const known = std::ranges::find(signatures, name, &Signature::name);
  return known == std::end(signatures) ? nullptr : known;
}

bool is_condition(const Expression& call) {
  return call.function == Function::match || call.function == Function::search;
}

bool fits(const Expression& argument, Type parameter) {
  if (parameter == Type::nodes) return argument.kind == Expression::Kind::query;
  if (argument.kind == Expression::Kind::query) return argument.query.is_singular();
  return argument.kind == Expression::Kind::literal || !is_condition(argument);
}

}  // namespace

bool JsonPathParser::nested(Expression& expression) {
  if (depth_ == jsonpath_depth_max) return fail("nested too deep");
  ++depth_;
  const bool good = any_of(expression);
  --depth_;
  return good;
}

bool JsonPathParser::any_of(Expression& expression) {
  expression.kind = Expression::Kind::any_of;
  do {
    skip_space();
    if (!all_of(expression.operands.emplace_back())) return false;
    skip_space();
  } while (take("||"));
  return true;
}

bool JsonPathParser::all_of(Expression& expression) {
  expression.kind = Expression::Kind::all_of;
  do {
    skip_space();
    if (!basic(expression.operands.emplace_back())) return false;
    skip_space();
  } while (take("&&"));
  return true;
}

bool JsonPathParser::basic(Expression& expression) {
  const bool negated = take("!");
  Expression* inner = &expression;
  if (negated) {
    skip_space();
    expression.kind = Expression::Kind::negation;
    inner = &expression.operands.emplace_back();
  }
  if (take("(")) {
    if (!nested(*inner)) return false;
    skip_space();
    return take(")") || fail("expected an operator or \")\"");
  }
  const std::size_t from = at_;
  Expression first;
  if (!operand(first)) return false;
  skip_space();
  const bool compares = peek() == '<' || peek() == '>' || (peek() == '=' && peek(1) == '=') ||
                        (peek() == '!' && peek(1) == '=');
  if (compares && !negated)
    return require_comparable(first, from) && comparison(expression, std::move(first));
  if (!require_test(first, from)) return false;
  *inner = std::move(first);
  return true;
}

bool JsonPathParser::comparison(Expression& expression, Expression&& left) {
  constexpr std::pair<std::string_view, Comparison> operators[] = {
      {"==", Comparison::equal},         {"!=", Comparison::not_equal},
      {"<=", Comparison::less_or_equal}, {">=", Comparison::greater_or_equal},
      {"<", Comparison::less},           {">", Comparison::greater},
  };
  const auto* const found =
      std::ranges::find_if(operators, [this](const auto& row) { return take(row.first); });
  expression.kind = Expression::Kind::comparison;
  expression.comparison = found->second;
  skip_space();
  const std::size_t from = at_;
  Expression right;
  if (!operand(right) || !require_comparable(right, from)) return false;
  expression.operands.push_back(std::move(left));
  expression.operands.push_back(std::move(right));
  return true;
}

bool JsonPathParser::require_test(Expression& expression, std::size_t at) {
  if (expression.kind == Expression::Kind::query) {
    expression.kind = Expression::Kind::exists;
    return true;
  }
  if (expression.kind == Expression::Kind::call && is_condition(expression)) return true;
  return fail("a value must be compared with something,", at);
}

bool JsonPathParser::require_comparable(const Expression& expression, std::size_t at) {
  if (fits(expression, Type::value)) return true;
  return fail(expression.kind == Expression::Kind::query
                  ? "only a query that names one value at most can be compared,"
                  : "true or false of a function cannot be compared,",
              at);
}

bool JsonPathParser::operand(Expression& expression) {
  const char c = peek();
  if (c == '@' || c == '$') {
    ++at_;
    expression.kind = Expression::Kind::query;
    expression.query.absolute = c == '$';
    return segments(expression.query);
  }
  if (c == '"' || c == '\'') {
    expression.literal_kind = JsonTree::Kind::string;
    return string_literal(expression.literal);
  }
  if (c == '-' || ascii::is_digit(c)) return number(expression);
  return word(expression);
}

// -0 is a number here, though no index.
bool JsonPathParser::number(Expression& expression) {
  const std::size_t from = at_;
  take("-");
  const char first = peek();
  const std::size_t digits_from = at_;
  if (!take_digits()) return fail("expected a digit");
  if (first == '0' && at_ - digits_from > 1) return fail("a number has no leading zero,", from);
  if (take(".") && !take_digits()) return fail("expected a digit");
  if (take("e") || take("E")) {
    if (!take("+")) take("-");
    if (!take_digits()) return fail("expected a digit");
  }
  expression.literal_kind = JsonTree::Kind::number;
  expression.literal = text_.substr(from, at_ - from);
  return true;
}

bool JsonPathParser::word(Expression& expression) {
  const std::size_t from = at_;
  const auto in_word = [this] {
    const char c = peek();
    return (c >= 'a' && c <= 'z') || c == '_' || ascii::is_digit(c);
  };
  if (peek() >= 'a' && peek() <= 'z')
    while (in_word()) ++at_;
  const std::string_view name = text_.substr(from, at_ - from);
  if (!name.empty() && take("(")) return call(name, expression);
  if (name == "true")
    expression.literal_kind = JsonTree::Kind::is_true;
  else if (name == "false")
    expression.literal_kind = JsonTree::Kind::is_false;
  else if (name != "null")
    return fail("expected a query, a literal, a function or \"(\"", from);
  return true;
}

bool JsonPathParser::call(std::string_view name, Expression& expression) {
  const std::size_t from = at_;
  const Signature* signature = find_function(name);
  if (signature == nullptr)
    return fail("there is no function \"" + std::string(name) + "\"; it is called", from);
  if (depth_ == jsonpath_depth_max) return fail("nested too deep");
  ++depth_;
  expression.kind = Expression::Kind::call;
  expression.function = signature->function;
  for (const Type parameter : signature->parameters) {
    if (!expression.operands.empty() && !take(",")) return fail("expected \",\"");
    skip_space();
    const std::size_t argument_at = at_;
    Expression& argument = expression.operands.emplace_back();
    if (!operand(argument)) return false;
    if (!fits(argument, parameter))
      return fail("an argument of a kind that " + std::string(name) + "() does not take",
                  argument_at);
    skip_space();
  }
  --depth_;
  return take(")") || fail("expected \")\"");
}

}  // namespace fetchmill::workers::json
