// Finds the values of a document that a JSONPath query names, in RFC 9535's order, repeats
// included.
//
// Of members with the same name, a name selector takes the first. Numbers are compared exactly.
// Lifetime: keep one and reuse it: it keeps compiled patterns, nothing of a document.
// Process: worker.
// Errors: a query whose work or list of values goes beyond the limits stops; why() says so.
#pragma once

#include "workers/json/json_tree.hpp"
#include "workers/json/jsonpath.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace re2 {
class RE2;
}

namespace fetchmill::workers::json {

inline constexpr std::size_t jsonpath_nodes_max = 10'000'000;
// Values looked at, bytes compared or matched: a second or two.
inline constexpr std::uint64_t jsonpath_steps_max = 100'000'000;

class JsonPathEvaluator {
 public:
  enum class Stop : std::uint8_t { none, too_many_nodes, too_many_steps };
  using Index = JsonTree::Index;
  using Nodes = std::vector<Index>;

  JsonPathEvaluator();
  ~JsonPathEvaluator();
  JsonPathEvaluator(const JsonPathEvaluator&) = delete;
  JsonPathEvaluator& operator=(const JsonPathEvaluator&) = delete;

  // Nothing useful when why() is not `none` afterwards.
  Nodes evaluate(const JsonTree& tree, const Query& query);
  Stop why() const { return stop_; }

 private:
  // What a comparison or a function works on; no kind: Nothing.
  struct Value {
    std::optional<JsonTree::Kind> kind;
    Index node = 0;         // of arrays and objects
    std::string_view text;  // of numbers, and of strings without escapes
    std::string own;        // instead of it, when it had to be made
    std::string_view characters() const { return own.empty() ? text : std::string_view(own); }
  };

  Nodes select(const Query& query, Index current);
  std::optional<Index> select_one(const Query& query, Index current);
  void apply(const Segment& segment, Index node, Nodes& out);
  void apply_selectors(const Segment& segment, Index node, Nodes& out);
  void slice(const Selector& selector, Index array, Nodes& out);
  std::optional<Index> member(Index object, std::string_view name);
  std::optional<Index> element(Index array, std::int64_t index);
  void emit(Index node, Nodes& out);

  bool holds(const Expression& expression, Index current);
  bool compare(const Expression& expression, Index current);
  Value value_of(const Expression& expression, Index current);
  Value value_of_node(Index node);
  Value call(const Expression& expression, Index current);
  bool equal(const Value& a, const Value& b);
  bool equal_containers(Index a, Index b);
  bool less(const Value& a, const Value& b);
  bool matches(const Expression& call, Index current);
  const re2::RE2* pattern(std::string_view iregexp);
  std::string key_text(Index value) const;

  bool spend(std::uint64_t steps) {
    if (steps <= steps_left_) {
      steps_left_ -= steps;
      return true;
    }
    steps_left_ = 0;
    if (stop_ == Stop::none) stop_ = Stop::too_many_steps;
    return false;
  }

  const JsonTree* tree_ = nullptr;
  std::uint64_t steps_left_ = 0;
  Stop stop_ = Stop::none;
  std::unordered_map<std::string, std::unique_ptr<re2::RE2>> patterns_;
};

}  // namespace fetchmill::workers::json
