// What a task passes on as it was written: `json`, `meta`, `pipeline`, and the numbers in `vars`.
// Pure.
//
// simdjson's DOM reads every number at once: it refuses those beyond 64 bits and doubles, and of
// the others forgets the digits. So a document that has such values is written anew, with each of
// them as a string that holds its text, before it is parsed for good. They are looked for where
// tasks are: the document itself, its `defaults`, and what its `tasks` holds.
//
// Trust: documents come from a client.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace fetchmill::handlers {

// Whether there are such values in what simdjson could parse. Costs a look at the tasks' keys.
bool has_values_as_written(simdjson::dom::element document);

// Requires: JSON, without a byte order mark; it must outlive this. Cost: a look at every byte, and
// no memory but for the text anew: the whole document is read in one turn of the loop.
class AsWritten {
 public:
  explicit AsWritten(std::string_view text);

  // The document with strings for such values: minified texts.
  const std::string& text() const { return rewritten_; }
  // Where, in the document as it came, the first other number is that simdjson does not take.
  std::optional<std::size_t> number_out_of_range() const;

 private:
  struct Span {
    std::size_t begin;
    std::size_t end;
  };

  // Each moves at_ from the start of a value behind it.
  void skip_value();
  void take();
  void task(bool is_document);
  void tasks();
  void variables();
  // Calls visit(name) at the value of each member of the object at at_, and moves behind it.
  template <class Visit>
  void each_member(Visit&& visit);
  // To the next key, value or bracket.
  void skip_between();

  std::string_view text_;
  std::string rewritten_;
  std::size_t at_ = 0;
  std::size_t copied_ = 0;   // of the text, in bytes
  std::vector<Span> taken_;  // in the text's order
};

}  // namespace fetchmill::handlers
