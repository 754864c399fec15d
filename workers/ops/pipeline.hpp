// Pipelines: checked in the loop, run in a worker.
//
// A pipeline travels as canonical JSON text, `[{"op":"json.select","pointer":"/a"}]`: minified,
// known ops and parameters only, at most pipeline_bytes_max. The loop copies that text into shared
// memory; equal pipelines have equal text, which is what a worker caches compiled pipelines by.
#pragma once

#include "config/error.hpp"
#include "workers/json/json_validator.hpp"
#include "workers/ops/op.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fetchmill::workers::ops {

inline constexpr std::size_t pipeline_steps_max = 16;
inline constexpr std::size_t pipeline_bytes_max = 64 * 1024;

// ---- Process: loop. Cheap and pure: nothing is compiled here.

// The canonical text of a task's `pipeline`, which must be an array of steps (an empty one means
// the bytes as they are, and gives "[]"). Parameters that are any JSON stay as they were written.
// `field` is what errors call it: "tasks[3].pipeline". Requires: JSON.
// Errors: unknown_op (with a near name), unknown_field, invalid_request (also identity's `decode`:
// false behind the first step); all with `field`, such as "pipeline[0].pointer".
config::Result<std::string> check_pipeline(std::string_view pipeline, std::string_view field);

// The same for the steps of a named pipeline, which is not empty, as any text. Errors: every
// mistake there is.
config::BasicResult<std::string, std::vector<config::Error>> check_steps(const std::string& steps);

// The canonical text of the one-step pipeline that `?op=NAME&PARAM=VALUE…` asks for. `params` are
// the query parameters that are the op's, decoded, with the prefix that it may have: each value is
// typed by the parameter's table row, repeats make a list, and a parameter that takes only an
// object or any JSON is written so. Errors: as check_pipeline, with `field` "op" or the parameter's
// own name.
config::Result<std::string> pipeline_from_query(
    std::string_view op_name, std::span<const std::pair<std::string, std::string>> params);

// Whether a canonical pipeline begins with identity's `decode`: false, so that the body's content
// coding is left alone.
bool wants_original(std::string_view pipeline_json);

// The steps of a canonical pipeline, each as a pipeline of its own.
std::vector<std::string> single_steps(std::string_view pipeline_json);

// The ops of a canonical pipeline, for the log: "json.select,hash".
std::string op_names(std::string_view pipeline_json);

// ---- Process: worker, or a short-lived one of its own.

// What compiling the steps of a named pipeline, which check_steps gave, finds wrong with them:
// every mistake. `field` is what errors call the steps: "pipelines.NAME.steps[0].program".
std::vector<config::Error> compile_faults(const std::string& steps, std::string_view field);

struct CompiledStep {
  const Op* op;
  std::unique_ptr<Step> step;
};

struct RunResult {
  std::string_view bytes;       // followed by input_padding_bytes readable bytes
  std::string_view media_type;  // may be empty: unknown
};

// How a result stands in a batch line: as the member "result", "text" or "base64".
enum class LineKind : std::uint8_t { json, text, base64 };

struct LineValue {
  LineKind kind;
  // One JSON value on one line; for text and base64 a string with its quotes. It passes
  // JsonValueScan.
  std::string_view bytes;
};

// Runs pipelines, one after the other. Keeps the last pipelines compiled.
//
// Owner: the worker, one for its life.
// Lifetime: what run() and encode_for_line() return stays valid until the next call of the same
//   function, and no longer than the input it was made from.
class Runner {
 public:
  Runner();
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Each step's output is the next one's input. No byte is copied for a step that only names a part
  // of its input, unless another step follows, which must find zeroed padding.
  // Errors: of the ops, with stage "process" and `field` "pipeline[N]"; invalid_request for text
  // that check_pipeline would not have made.
  config::Result<RunResult> run(std::string_view pipeline_json, const Input& input);
  // What run() does before it runs a step. Errors: those of the first step that does not compile.
  config::Result<void> compile(std::string_view pipeline_json);

  // json: one JSON value, and the media type says JSON or is unknown; validated, minified.
  // text: else, valid UTF-8, and the media type is textual, says JSON or is unknown.
  // base64: else.
  LineValue encode_for_line(const RunResult& result);

  // Whether a step of the last run says so (Step::wore_out_worker).
  bool wore_out_worker() const { return wore_out_worker_; }

 private:
  struct Compiled {
    std::string text;
    std::vector<CompiledStep> steps;
  };
  // Null when it is not kept.
  const Compiled* kept(std::string_view pipeline_json);
  config::Result<const Compiled*> compile_anew(std::string_view pipeline_json);

  std::list<Compiled> cache_;  // most recently used first
  json::JsonValidator validator_;
  bool wore_out_worker_ = false;
  Output outputs_[2];  // a step reads one and writes the other
  std::string line_;
};

// ---- Process: loop. What the tables say, for clients.

// The body of GET /v1/ops: {"ops":[{"name","summary","parameters","input","output","limits",
// "examples"}]}; limits only where an op has some of its own, examples without those in binary.
std::string catalogue_json();
// The JSON Schema of an op's parameters: an object, without additional properties unless it takes
// any.
std::string parameters_schema_json(const Op& op);
// An example's step: {"op":"json.select","pointer":"/a"}.
std::string example_step_json(const Op& op, const Example& example);
// Of an example's input.
std::string_view example_media_type(const Op& op, const Example& example);

}  // namespace fetchmill::workers::ops
