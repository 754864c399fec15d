#include "workers/json/json_locate.hpp"
#include "workers/json/json_tree.hpp"
#include "workers/ops/params.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/ops/registry.hpp"

#include <algorithm>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using json::JsonTree;

// A client's batch has one pipeline, or a few; the bound keeps many different ones from adding up.
constexpr std::size_t compiled_pipelines_max = 16;
// A buffer that one large result grew is given back when the next task starts.
constexpr std::size_t output_kept_bytes_max = 4 * 1024 * 1024;
constexpr std::string_view pipeline_field = "pipeline";

Error in_step(Error error, std::string_view pipeline, std::size_t index) {
  error.stage = "process";
  const std::string step = std::string(pipeline) + "[" + std::to_string(index) + "]";
  error.field = error.field.empty() ? step : step + "." + error.field;
  return error;
}

Result<CompiledStep> compile_step(const JsonTree& tree, JsonTree::Index step) {
  const std::optional<std::string> name = op_of(tree, step);
  if (!name) return Error(ErrorCode::invalid_request, "a step must be an object with \"op\"");
  const Op* op = find_op(*name);
  if (op == nullptr) return Error(ErrorCode::unknown_op);
  auto params = params_from_json(*op, tree, step, "");
  if (!params) return std::move(params).error();
  add_defaults(*op, *params);
  auto compiled = op->compile(*op, *params);
  if (!compiled) return std::move(compiled).error();
  return CompiledStep{op, std::move(*compiled)};
}

void prepare(Output& output, const Op& op) {
  if (output.bytes.capacity() > output_kept_bytes_max) output.bytes = std::string();
  output.bytes.clear();
  output.media_type = op.output;
  output.is_part_of_input = false;
}

// Turns what a step left in `output` into bytes with readable padding behind them.
std::string_view result_bytes(Output& output) {
  if (output.is_part_of_input) return output.part_of_input;
  const std::size_t size = output.bytes.size();
  output.bytes.append(input_padding_bytes, '\0');
  return std::string_view(output.bytes).substr(0, size);
}

// The next step must find zeros behind its input; behind a part that ends early stands the rest of
// it.
void pad_part(Output& output, const Input& input) {
  if (!output.is_part_of_input) return;
  const std::string_view part = output.part_of_input;
  if (part.data() + part.size() == input.bytes.data() + input.bytes.size()) return;
  output.bytes.assign(part);
  output.is_part_of_input = false;
}

}  // namespace

std::vector<Error> compile_faults(const std::string& steps, std::string_view field) {
  JsonTree tree;
  tree.assign(steps);
  std::vector<Error> faults;
  std::size_t index = 0;
  tree.for_each_child(0, [&](JsonTree::Index step) {
    if (auto compiled = compile_step(tree, step); !compiled)
      faults.push_back(in_step(std::move(compiled).error(), field, index));
    ++index;
    return true;
  });
  return faults;
}

Runner::Runner() = default;
Runner::~Runner() = default;

inline const Runner::Compiled* Runner::kept(std::string_view pipeline_json) {
  const auto entry = std::ranges::find(cache_, pipeline_json, &Compiled::text);
  if (entry == cache_.end()) return nullptr;
  cache_.splice(cache_.begin(), cache_, entry);
  return &*entry;
}

Result<const Runner::Compiled*> Runner::compile_anew(std::string_view pipeline_json) {
  if (!pipeline_json.starts_with('[') || json::json_locate(pipeline_json))
    return Error(ErrorCode::invalid_request, "must be an array of steps",
                 std::string(pipeline_field));
  Compiled pipeline{.text = std::string(pipeline_json), .steps = {}};
  JsonTree tree;
  tree.assign(pipeline_json);
  std::optional<Error> fault;
  tree.for_each_child(0, [&](JsonTree::Index step) {
    auto compiled = compile_step(tree, step);
    if (compiled)
      pipeline.steps.push_back(std::move(*compiled));
    else
      fault = in_step(std::move(compiled).error(), pipeline_field, pipeline.steps.size());
    return !fault;
  });
  if (fault) return std::move(*fault);
  if (cache_.size() == compiled_pipelines_max) cache_.pop_back();
  cache_.push_front(std::move(pipeline));
  return &cache_.front();
}

Result<void> Runner::compile(std::string_view pipeline_json) {
  if (kept(pipeline_json) != nullptr) return {};
  const Result<const Compiled*> pipeline = compile_anew(pipeline_json);
  if (!pipeline) return pipeline.error();
  return {};
}

Result<RunResult> Runner::run(std::string_view pipeline_json, const Input& input) {
  wore_out_worker_ = false;
  const Compiled* pipeline = kept(pipeline_json);
  if (pipeline == nullptr) {
    const Result<const Compiled*> compiled = compile_anew(pipeline_json);
    if (!compiled) return compiled.error();
    pipeline = *compiled;
  }
  Input current = input;
  Output* output = &outputs_[0];
  Output* held = &outputs_[1];  // `current` may lie in it
  for (const CompiledStep& compiled : pipeline->steps) {
    prepare(*output, *compiled.op);
    Result<void> done = compiled.step->run(current, *output);
    if (compiled.step->wore_out_worker()) wore_out_worker_ = true;
    if (!done)
      return in_step(std::move(done).error(), pipeline_field,
                     static_cast<std::size_t>(&compiled - pipeline->steps.data()));
    if (&compiled != &pipeline->steps.back()) pad_part(*output, current);
    current.bytes = result_bytes(*output);
    current.media_type = output->media_type;
    if (!output->is_part_of_input) std::swap(output, held);
  }
  return RunResult{current.bytes, current.media_type};
}

}  // namespace fetchmill::workers::ops
