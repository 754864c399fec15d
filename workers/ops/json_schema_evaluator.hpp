// Holds a document against a compiled JSON Schema.
//
// Lifetime: keep one with its schema; it keeps nothing of a document.
// Process: worker.
// Errors: work that goes beyond the limits stops, and fault() says so; the answer is then void.
#pragma once

#include "workers/json/json_tree.hpp"
#include "workers/ops/json_schema.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::workers::ops {

// Values looked at, bytes compared or matched: a second or two.
inline constexpr std::uint64_t schema_steps_max = 100'000'000;
// How deep subschemas may lead into each other; bounds recursion.
inline constexpr std::size_t schema_nesting_max = 2'000;
inline constexpr std::size_t schema_violations_max = 100;

struct SchemaViolation {
  std::string instance;  // JSON Pointer into the document
  std::string keyword;   // JSON Pointer into the schema
  std::string detail;
};

class JsonSchemaEvaluator {
 public:
  using Index = json::JsonTree::Index;

  explicit JsonSchemaEvaluator(const JsonSchema& schema) : schema_(schema) {}

  // What of the document violates the schema: all, or the first schema_violations_max; empty: it is
  // valid.
  std::vector<SchemaViolation> evaluate(const json::JsonTree& document);
  // Why evaluate() stopped; empty: it did not.
  std::string_view fault() const { return fault_; }

 private:
  // The children of a value that keywords have looked at; null: nobody asks.
  using Seen = std::vector<Index>*;
  class Quiet;

  bool check(SchemaId id, Index at, Seen seen);
  bool check_keywords(const Subschema& subschema, Index at, Seen seen);
  bool holds(const SchemaKeyword& keyword, Index at, Seen seen);
  bool holds_of_number(const SchemaKeyword& keyword, Index at);
  bool holds_of_string(const SchemaKeyword& keyword, Index at);
  bool holds_of_array(const SchemaKeyword& keyword, Index at, Seen seen);
  bool holds_of_object(const SchemaKeyword& keyword, Index at, Seen seen);
  bool holds_in_place(const SchemaKeyword& keyword, Index at, Seen seen);
  bool type(const SchemaKeyword& keyword, Index at);
  bool items(const SchemaKeyword& keyword, Index array, Seen seen);
  bool contains(const SchemaKeyword& keyword, Index array, Seen seen);
  bool unique(const SchemaKeyword& keyword, Index array);
  bool properties(const SchemaKeyword& keyword, Index object, Seen seen);
  bool names_match(const SchemaKeyword& keyword, Index object);
  std::optional<Index> find_member(Index object, std::string_view name);
  bool has_all(const SchemaKeyword& keyword, Index object, const std::vector<std::string>& names,
               std::size_t from);
  bool conditional(const SchemaKeyword& keyword, Index at, Seen seen);
  bool some(const SchemaKeyword& keyword, Index at, Seen seen);
  bool unevaluated(const SchemaKeyword& keyword, Index at, Seen seen);
  SchemaId dynamic_target(const SchemaKeyword& keyword) const;
  bool passes_quietly(SchemaId id, Index at, Seen seen);

  bool is_canonically(const SchemaKeyword& keyword, Index at);
  bool violation(const SchemaKeyword& keyword, Index at, std::string detail);
  bool violation_at(Index schema_value, Index at, std::string detail);
  bool stop(std::string_view why);
  bool spend(std::uint64_t steps);
  bool goes_on() const { return fault_.empty() && violations_.size() < schema_violations_max; }

  const JsonSchema& schema_;
  const json::JsonTree* tree_ = nullptr;
  std::vector<ResourceId> scope_;  // the resources that led here, outermost first
  std::vector<SchemaViolation> violations_;
  std::string_view fault_;
  std::uint64_t steps_left_ = 0;
  std::size_t depth_ = 0;
  std::size_t quiet_ = 0;  // inside what may fail without failing the document
};

}  // namespace fetchmill::workers::ops
