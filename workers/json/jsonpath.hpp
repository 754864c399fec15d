// JSONPath (RFC 9535): a query as a tree, and its parser.
//
// A query that parses is well-formed and well-typed; the only functions are the standard's own.
// Process: the parser also in the loop, for the syntax check.
#pragma once

#include "workers/json/json_tree.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::workers::json {

// How deep filters, parentheses and function calls may nest; bounds recursion.
inline constexpr int jsonpath_depth_max = 64;

struct Expression;

struct Selector {
  enum class Kind : std::uint8_t { name, wildcard, index, slice, filter };

  Kind kind = Kind::wildcard;
  std::string name;
  std::optional<std::int64_t> start;  // the index of an index
  std::optional<std::int64_t> end;
  std::int64_t step = 1;
  std::unique_ptr<Expression> filter;
};

struct Segment {
  bool descendant = false;
  std::vector<Selector> selectors;
};

struct Query {
  bool absolute = true;  // from the root, else from the current value
  std::vector<Segment> segments;

  // Whether it can name one value at most, by its form.
  bool is_singular() const;
};

enum class Comparison : std::uint8_t {
  equal,
  not_equal,
  less,
  less_or_equal,
  greater,
  greater_or_equal
};
enum class Function : std::uint8_t { length, count, match, search, value };

// A part of a filter: a condition or something to compare.
struct Expression {
  enum class Kind : std::uint8_t {
    any_of,
    all_of,
    negation,
    comparison,
    exists,  // its query names something
    call,    // match and search are conditions, the other functions give values
    literal,
    query,  // what its query names
  };

  Kind kind = Kind::literal;
  Comparison comparison = Comparison::equal;
  Function function = Function::length;
  JsonTree::Kind literal_kind = JsonTree::Kind::null;
  std::string literal;  // of a string the characters, of a number the text
  Query query;
  std::vector<Expression> operands;
};

// Nothing when `text` is not a JSONPath query, and `fault` says why: "is not a JSONPath query: …".
std::optional<Query> parse_jsonpath(std::string_view text, std::string& fault);

// Empty when `text` is a JSONPath query, else what is wrong with it.
std::string jsonpath_fault(std::string_view text);

}  // namespace fetchmill::workers::json
