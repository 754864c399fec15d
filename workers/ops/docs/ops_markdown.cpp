#include "workers/ops/docs/ops_markdown.hpp"

#include "workers/json/json_write.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/ops/registry.hpp"

#include <algorithm>
#include <utility>

namespace fetchmill::workers::ops {
namespace {

constexpr std::string_view head =
    "# Ops\n\n"
    "Generated from the table of ops in `workers/ops/`.\n\n"
    "An op turns one body into another. A pipeline is a list of at most 16 steps, `{\"op\": NAME}` "
    "and the op's parameters; each step gets what the one before it made, in one visit to one "
    "worker. An "
    "op with its parameters may also stand in the query: `?op=NAME&PARAMETER=VALUE`; its first "
    "parameter is the main one. `GET /v1/ops` has the same as JSON, with a JSON Schema of the "
    "parameters; the settings `ops.enabled` and `ops.disabled` say which ops a server has. Those "
    "of "
    "images, which not every build has, are in [image-ops.md](image-ops.md).\n\n"
    "What an op refuses: parameters that are not as below with `invalid_request` or "
    "`unknown_field`, a body that it cannot process with `processing_failed`, whose detail says "
    "what is wrong and where, and a result that is larger than the task allows with "
    "`result_too_large` ([errors](errors.md)). No step may make more than 256 MiB. Time and memory "
    "of a task are bounded by the settings of `[workers]` ([settings](settings.md)).\n\n"
    "Parameters are checked before anything is fetched, but for what only a worker compiles: jq's "
    "`program`, `xpath` and `namespaces` of xml.select, `pattern` of text.match and what is inside "
    "json.validate's `schema`. A mistake in one of these comes with the `stage` process: the "
    "upstream has had its request by then, be it a POST. In named pipelines they are found at "
    "start and by a reload.\n\n"
    "The examples ask the server that `make run` starts.\n";

constexpr std::string_view image_head =
    "# Image ops\n\n"
    "Generated from the table of ops in `workers/ops/`. What holds for every op stands in "
    "[ops.md](ops.md).\n\n"
    "These need libvips, and are in builds with `IMAGE_OPS=ON`: `make build IMAGE_OPS=ON`, "
    "`make image IMAGE_OPS=ON`.\n";

bool is_of_images(const Op& op) {
  return op.name.starts_with("image.");
}

// As it may stand in a cell of a table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text)
    out.append(c == '|' ? "\\" : "").append(c == '\n' ? " " : std::string(1, c));
  return out;
}

std::string code(std::string_view text) {
  const std::string_view ticks = text.find('`') == std::string_view::npos ? "`" : "``";
  return std::string(ticks).append(text).append(ticks);
}

std::string joined(std::span<const std::string_view> words) {
  std::string out;
  for (const std::string_view word : words) out.append(out.empty() ? "" : ", ").append(code(word));
  return out;
}

std::string number_text(double number) {
  std::string out;
  json::append_json_number(out, number);
  return out;
}

std::string range_text(const ParamSpec& spec) {
  const bool has_min = spec.min > std::numeric_limits<double>::lowest();
  const bool has_max = spec.max < std::numeric_limits<double>::max();
  if (has_min && has_max) return " from " + number_text(spec.min) + " to " + number_text(spec.max);
  if (has_min) return " of at least " + number_text(spec.min);
  return has_max ? " of at most " + number_text(spec.max) : std::string();
}

std::string form_text(const ParamSpec& spec, ParamType type) {
  switch (type) {
    case string_type:
      return "a string";
    case integer_type:
      return "an integer" + range_text(spec);
    case number_type:
      return "a number" + range_text(spec);
    case boolean_type:
      return "true or false";
    case string_list_type:
      return "a list of strings";
    case string_map_type:
      return "an object of strings";
    case null_type:
      return "null";
    case json_type:
      break;
  }
  return "any JSON value";
}

std::string takes_text(const ParamSpec& spec) {
  std::string out;
  for (unsigned bit = string_type; bit <= json_type; bit <<= 1U)
    if ((spec.types & bit) != 0)
      out.append(out.empty() ? "" : " or ").append(form_text(spec, static_cast<ParamType>(bit)));
  return spec.values.empty() ? out : out + ": " + joined(spec.values);
}

std::string default_text(const ParamSpec& spec) {
  if (spec.required) return "required";
  return spec.default_json.empty() ? "none" : code(spec.default_json);
}

std::string parameter_table(const Op& op) {
  if (op.params.empty()) return "It has no parameters.\n";
  std::string out = "| parameter | takes | default | what it does |\n| --- | --- | --- | --- |\n";
  for (const ParamSpec& spec : op.params)
    out += "| " + code(spec.name) + " | " + cell(takes_text(spec)) + " | " +
           cell(default_text(spec)) + " | " + cell(spec.description) + " |\n";
  return out;
}

// Whether a terminal shows the bytes as they are.
bool is_printable(std::string_view bytes) {
  return simdjson::validate_utf8(bytes.data(), bytes.size()) &&
         std::ranges::all_of(bytes, [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return c == '\n' || c == '\t' || (byte >= 0x20 && byte != 0x7f);
         });
}

// In a fence that the text does not close.
std::string block(std::string_view language, std::string_view text) {
  const std::string_view fence = text.find("```") == std::string_view::npos ? "```" : "````";
  std::string out = std::string(fence).append(language).append("\n").append(text);
  if (!out.ends_with('\n')) out += '\n';
  return out.append(fence).append("\n");
}

std::string bytes_block(std::string_view bytes, std::string_view media_type) {
  if (is_printable(bytes)) return block("", bytes);
  return block("", std::to_string(bytes.size()) + " bytes of " + std::string(media_type));
}

std::string shell_word(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Whether the example can be a command line whose output a test compares: an indented line would
// be taken for the rest of the one before it.
bool is_command(const Example& example) {
  const auto is_plain = [](std::string_view text) {
    return is_printable(text) && text.find("\n ") == std::string_view::npos &&
           text.find("```") == std::string_view::npos;
  };
  return is_plain(example.input) && is_plain(example.output) && !example.input.starts_with('@');
}

std::string command(const Op& op, const Example& example) {
  constexpr std::string_view url = "http://127.0.0.1:8080/v1/process";
  const std::string_view media_type = example_media_type(op, example);
  std::string out = "curl ";
  if (example.params.empty())
    out += shell_word(std::string(url) + "?op=" + std::string(op.name));
  else
    out.append(url).append(" --url-query ") +=
        shell_word("pipeline=[" + example_step_json(op, example) + "]");
  std::string body = " --data-binary ";
  if (media_type == "application/json")
    body = " --json ";
  else if (media_type.find('*') == std::string_view::npos)
    body = " -H " + shell_word("Content-Type: " + std::string(media_type)) + body;
  body += shell_word(example.input) + '\n';
  constexpr std::size_t columns = 100;
  return out + (out.size() + body.size() > columns ? " \\\n " : "") + body;
}

std::string example_text(const Op& op, const Example& example, bool is_first) {
  if (is_first && is_command(example))
    return block("sh", command(op, example)) + block("", example.output);
  return code(example_step_json(op, example)) + " makes of\n\n" +
         bytes_block(example.input, example_media_type(op, example)) + "\nthis:\n\n" +
         bytes_block(example.output, op.output);
}

std::string section(const Op& op) {
  std::string out = "\n## " + std::string(op.name) + "\n\n" + std::string(op.summary) + "\n\n";
  out += "Reads " + joined(op.input) + ", gives " +
         (op.output == "*/*" ? "the media type it got" : code(op.output)) + ".\n";
  if (!op.limits.empty()) out.append("Limits: ").append(op.limits).append("\n");
  out += "\n" + parameter_table(op);
  bool is_first = true;
  for (const Example& example : op.examples)
    out += "\n" + example_text(op, example, std::exchange(is_first, false));
  return out;
}

}  // namespace

std::string ops_markdown() {
  std::string out(head);
  for (const Op* op : all_ops())
    if (!is_of_images(*op)) out += section(*op);
  return out;
}

std::string image_ops_markdown() {
  std::string sections;
  for (const Op* op : all_ops())
    if (is_of_images(*op)) sections += section(*op);
  return sections.empty() ? sections : std::string(image_head) + sections;
}

}  // namespace fetchmill::workers::ops
