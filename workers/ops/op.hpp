// The op contract: an op is one file that describes itself and turns one body into another.
//
// An op file defines a parameter table, a Step and one `const Op`; ops.def lists that Op. The table
// is the only description there is: request checks, query typing, GET /v1/ops and OpenAPI derive
// from it.
//
// Owner: an Op lives as long as the process. The Runner (pipeline.hpp) owns the Steps that
//   `compile` makes, and reuses one Step for many bodies.
// Process: the loop reads the description and calls what checks parameters; compile and run happen
//   in a worker.
// Requires: an op is a pure function of (input, parameters): no files, clocks, network, environment
//   or globals, and nothing of an earlier body may show in a later result.
// Errors: of compile: invalid_request (a parameter that only compiling can judge, such as a bad
//   program, with the parameter in `field`); of run: processing_failed (this body cannot be
//   processed), result_too_large. No exceptions but std::bad_alloc.
// Trust: the input bytes come from the internet. Parameters have been checked against the table,
//   and by `check`.
#pragma once

#include "config/error.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace fetchmill::workers::ops {

// Readable zero bytes behind every input. simdjson reads that far past the end.
inline constexpr std::size_t input_padding_bytes = 64;

// What a step may produce at most, between steps too; a step that can multiply its input stops
// there with result_too_large. The task's own max_result_bytes is checked on the final result.
inline constexpr std::size_t step_output_bytes_max = 256 * 1024 * 1024;

// The forms a parameter may take, as bits: a parameter may allow several.
enum ParamType : unsigned {
  string_type = 1U << 0U,
  integer_type = 1U << 1U,
  number_type = 1U << 2U,
  boolean_type = 1U << 3U,
  string_list_type = 1U << 4U,  // a non-empty array of strings
  string_map_type = 1U << 5U,   // a non-empty object whose values are strings, in the order written
  null_type = 1U << 6U,         // null, handed over as its text
  json_type = 1U << 7U,         // any JSON value, handed over as it was written; stands alone
};

// One row of an op's parameter table.
struct ParamSpec {
  std::string_view name;
  unsigned types = string_type;
  bool required = false;
  std::string_view default_json = {};  // what leaving it out means, as JSON; empty: absent
  double min = std::numeric_limits<double>::lowest();  // of integers and numbers
  double max = std::numeric_limits<double>::max();
  std::span<const std::string_view> values = {};  // the strings allowed, in lists too; empty: any
  bool may_be_empty = false;                      // lists and maps need not be non-empty
  // Cheap syntax check of one string, run in the loop: empty when it is well-formed, else what is
  // wrong.
  std::string (*fault)(std::string_view text) = nullptr;
  std::string_view description = {};
};

using StringList = std::vector<std::string>;
using StringMap = std::vector<std::pair<std::string, std::string>>;
struct JsonText {
  std::string text;  // one JSON value, minified; its numbers may be out of a double's range
};
using ParamValue =
    std::variant<std::string, std::int64_t, double, bool, StringList, StringMap, JsonText>;

// A step's parameters: checked against the op's table, with its defaults filled in. Getters are for
// parameters that the table makes sure of: required ones or those with a default, of that one type.
class Params {
 public:
  // Null when it was left out and has no default.
  const ParamValue* find(std::string_view name) const {
    for (const auto& [known, value] : values_)
      if (known == name) return &value;
    return nullptr;
  }
  template <class T>
  const T& get(std::string_view name) const {
    return std::get<T>(*find(name));
  }
  void set(std::string_view name, ParamValue value) {
    values_.emplace_back(std::string(name), std::move(value));
  }
  // In the order in which they were set.
  std::span<const std::pair<std::string, ParamValue>> all() const { return values_; }

 private:
  std::vector<std::pair<std::string, ParamValue>> values_;
};

struct Input {
  std::string_view bytes;            // followed by input_padding_bytes readable zero bytes
  std::string_view media_type = {};  // as received, parameters included; empty: unknown
  std::string_view final_url = {};   // for resolving links; empty: the body was not fetched
};

// Where a step puts its result: appended to `bytes` (empty at the start, its capacity is kept from
// run to run), or, without copying, named as a part of the input.
struct Output {
  std::string bytes;
  std::string_view media_type;  // starts as the op's `output`; else a constant, or the input's
  std::string_view part_of_input;
  bool is_part_of_input = false;

  // The result is `part`, which must lie inside the input's bytes. `bytes` is then ignored.
  void use_input(std::string_view part) {
    part_of_input = part;
    is_part_of_input = true;
  }
};

// A compiled step. Reused from body to body, so it may keep parsers and buffers, but no results.
class Step {
 public:
  Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  virtual ~Step() = default;
  virtual config::Result<void> run(const Input& input, Output& output) = 0;
  // Whether something was left behind that the next body must not meet: the worker ends once this
  // one's result is out.
  virtual bool wore_out_worker() const { return false; }
};

// A worked example: docs/ops.md shows it, a test runs it.
struct Example {
  std::string_view params = {};  // the step's parameters as a JSON object; empty: none
  std::string_view input = {};
  std::string_view output = {};      // exactly what comes of it
  std::string_view media_type = {};  // of the input; empty: the first the op is meant for
};

struct Op {
  std::string_view name = {};  // "family.verb"
  std::string_view summary = {};
  // Bounds of its own (sizes, depths, counts), and what it says when they are passed; empty: only
  // those of every step.
  std::string_view limits = {};
  std::span<const Example> examples = {};        // at least one
  std::span<const ParamSpec> params = {};        // the first is the main one
  std::span<const std::string_view> input = {};  // media types it is meant for; never enforced
  // Media type of its result; "*/*": that of its input. A parameter that changes it says so.
  std::string_view output = {};
  // Cheap check of the parameters together, run in the loop: what is wrong here is wrong before
  // anything is fetched, what only compile finds after it. They are as the table wants them, with
  // its defaults. Errors: invalid_request, the parameter in `field`. Null: the table says it all.
  config::Result<void> (*check)(const Params& params) = nullptr;
  // `self` is the Op it was called through: ops made at start-up (one per Python function) share
  // one compile.
  config::Result<std::unique_ptr<Step>> (*compile)(const Op& self, const Params& params) = nullptr;
  // Parameters that the table does not name are taken too, as json_type.
  bool takes_any = false;
  // Stands before the parameters' names in a query, where they could be those of a task's fields;
  // empty: nothing does.
  std::string_view query_prefix = {};
  // Process: spawner, once, before any worker is forked. Makes a library load what it would load
  // lazily (tables, plug-ins): workers have no files. Must not start threads. Null: nothing to
  // load.
  void (*preload)() = nullptr;
};

// Op::compile of an op without parameters, whose step is an S.
template <class S>
config::Result<std::unique_ptr<Step>> compile_plain(const Op&, const Params&) {
  return std::make_unique<S>();
}

}  // namespace fetchmill::workers::ops
