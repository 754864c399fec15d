// What a task passes on as it was written: `json`, `meta`, and the numbers in `vars`. Pure.
//
// simdjson's DOM reads every number at once: it refuses those beyond 64 bits and doubles, and of
// the others forgets the digits. So a document that has such values is written anew, with each of
// them as a string that holds its text, before it is parsed for good. They are looked for where
// tasks are: the document itself, its `defaults`, and what its `tasks` holds.
//
// Trust: documents come from a client.
#pragma once

#include "workers/json/json_tree.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace fetchmill::handlers {

// Whether there are such values in what simdjson could parse. Costs a look at the tasks' keys.
bool has_values_as_written(simdjson::dom::element document);

// Requires: JSON, without a byte order mark, of at most json_tree_bytes_max; it must outlive this.
class AsWritten {
 public:
  explicit AsWritten(std::string_view text);

  // The document with strings for such values: minified texts.
  const std::string& text() const { return rewritten_; }
  // Where, in the document as it came, the first other number is that simdjson does not take.
  std::optional<std::size_t> number_out_of_range() const;

 private:
  using Index = workers::json::JsonTree::Index;

  void visit(Index task, bool is_document);
  void visit_variables(Index variables);
  void take(Index value);

  std::string_view text_;
  workers::json::JsonTree tree_;
  std::string rewritten_;
  std::size_t copied_ = 0;    // of the text, in bytes
  std::vector<Index> taken_;  // in the text's order
};

}  // namespace fetchmill::handlers
