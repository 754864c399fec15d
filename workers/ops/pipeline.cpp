#include "workers/ops/pipeline.hpp"

#include "config/suggest.hpp"
#include "workers/json/json_locate.hpp"
#include "workers/json/json_tree.hpp"
#include "workers/ops/params.hpp"
#include "workers/ops/registry.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using json::JsonTree;

// As append_step_json writes it.
constexpr std::string_view original_start = R"([{"op":"identity","decode":false})";

Error unknown_op(std::string_view name, std::string field) {
  if (is_switched_off(name))
    return Error(ErrorCode::unknown_op,
                 "the op '" + std::string(name) + "' is disabled on this server", std::move(field));
  std::vector<std::string_view> known;
  for (const Op* op : all_ops()) known.push_back(op->name);
  return Error(ErrorCode::unknown_op,
               "there is no op '" + std::string(name.substr(0, 100)) + '\'' +
                   config::did_you_mean(name, known),
               std::move(field));
}

void append_step(const JsonTree& tree, JsonTree::Index step, const std::string& field,
                 std::string& out, std::vector<Error>& mistakes) {
  const std::optional<std::string> name = op_of(tree, step);
  if (tree[step].kind() != JsonTree::Kind::object) {
    mistakes.emplace_back(ErrorCode::invalid_request, "a step must be an object with \"op\"",
                          field);
  } else if (!name) {
    mistakes.emplace_back(ErrorCode::invalid_request, "op must be a string that names an op",
                          field + ".op");
  } else if (const Op* op = find_op(*name); op == nullptr) {
    mistakes.push_back(unknown_op(*name, field + ".op"));
  } else {
    append_step_json(out, *op, params_from_json(*op, tree, step, field + ".", mistakes));
  }
}

Result<std::string> within_size(std::string text, std::string_view field) {
  if (text.size() > pipeline_bytes_max)
    return Error(ErrorCode::invalid_request,
                 "the pipeline is larger than " + std::to_string(pipeline_bytes_max) + " bytes",
                 std::string(field));
  return text;
}

// The canonical text, which is worth something only without mistakes.
std::string check_all(std::string_view pipeline, std::string_view field,
                      std::vector<Error>& mistakes) {
  const auto wrong = [&](std::string detail) {
    mistakes.emplace_back(ErrorCode::invalid_request, std::move(detail), std::string(field));
    return std::string();
  };
  JsonTree tree;
  tree.assign(pipeline);
  if (tree[0].kind() != JsonTree::Kind::array) return wrong("must be an array of steps");
  if (tree[0].child_count > pipeline_steps_max)
    return wrong("a pipeline has at most " + std::to_string(pipeline_steps_max) + " steps");
  std::string text = "[";
  std::size_t index = 0;
  tree.for_each_child(0, [&](JsonTree::Index step) {
    if (index > 0) text += ',';
    const std::string step_field = std::string(field) + "[" + std::to_string(index) + "]";
    const std::size_t start = text.size();
    append_step(tree, step, step_field, text, mistakes);
    if (index > 0 && std::string_view(text).substr(start) == original_start.substr(1))
      mistakes.emplace_back(ErrorCode::invalid_request, "only the first step can have the original",
                            step_field + ".decode");
    ++index;
    return true;
  });
  Result<std::string> whole = within_size(text + "]", field);
  if (!whole) mistakes.push_back(whole.error());
  return whole ? std::move(*whole) : std::string();
}

// The parameters by the names that the table has.
Result<std::vector<std::pair<std::string, std::string>>> without_prefix(
    const Op& op, std::span<const std::pair<std::string, std::string>> query) {
  std::vector<std::pair<std::string, std::string>> params(query.begin(), query.end());
  for (auto& [name, value] : params) {
    if (!name.starts_with(op.query_prefix))
      return Error(ErrorCode::unknown_field,
                   "parameters of " + std::string(op.name) + " begin with " +
                       std::string(op.query_prefix) + " in a query, such as " +
                       std::string(op.query_prefix) + name.substr(0, 100),
                   name);
    name.erase(0, op.query_prefix.size());
  }
  return params;
}

}  // namespace

Result<std::string> check_pipeline(std::string_view pipeline, std::string_view field) {
  std::vector<Error> mistakes;
  std::string text = check_all(pipeline, field, mistakes);
  if (!mistakes.empty()) return std::move(mistakes.front());
  return text;
}

config::BasicResult<std::string, std::vector<Error>> check_steps(const std::string& steps) {
  constexpr std::string_view field = "steps";
  const auto wrong = [&](std::string detail) {
    return std::vector{Error(ErrorCode::invalid_request, std::move(detail), std::string(field))};
  };
  if (const auto fault = json::json_locate(steps)) return wrong("it is " + describe(*fault));
  std::vector<Error> mistakes;
  std::string text = check_all(steps, field, mistakes);
  if (!mistakes.empty()) return mistakes;
  if (text == "[]") return wrong("there must be at least one");
  return text;
}

Result<std::string> pipeline_from_query(
    std::string_view op_name, std::span<const std::pair<std::string, std::string>> params) {
  const Op* op = find_op(op_name);
  if (op == nullptr) return unknown_op(op_name, "op");
  const auto named = without_prefix(*op, params);
  if (!named) return named.error();
  const Result<Params> typed = params_from_query(*op, *named);
  if (!typed) return typed.error();
  std::string text = "[";
  append_step_json(text, *op, *typed);
  return within_size(text + "]", "op");
}

bool wants_original(std::string_view pipeline_json) {
  return pipeline_json.starts_with(original_start);
}

std::vector<std::string> single_steps(std::string_view pipeline_json) {
  JsonTree tree;
  tree.assign(pipeline_json);
  std::vector<std::string> pipelines;
  tree.for_each_child(0, [&](JsonTree::Index step) {
    pipelines.push_back('[' + std::string(tree.text(step)) + ']');
    return true;
  });
  return pipelines;
}

std::string op_names(std::string_view pipeline_json) {
  constexpr std::string_view step = "{\"op\":\"";
  constexpr std::size_t names_bytes_max = 256;
  std::string names;
  for (std::size_t at = pipeline_json.find(step);
       at != std::string_view::npos && names.size() < names_bytes_max;
       at = pipeline_json.find(step, at)) {
    at += step.size();
    if (!names.empty()) names += ',';
    names += pipeline_json.substr(at, pipeline_json.find('"', at) - at);
  }
  return names;
}

}  // namespace fetchmill::workers::ops
