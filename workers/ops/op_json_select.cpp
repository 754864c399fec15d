// json.select: the values that JSON Pointers (RFC 6901) name, as they are written in the document.
//
// One pass; what is selected is validated, what is passed over only in its structure,
// except with `validate`. Values are copied, not parsed and written again: no number ever changes
// its digits.
#include "workers/json/json_locate.hpp"
#include "workers/json/json_pointer.hpp"
#include "workers/json/json_text.hpp"
#include "workers/json/json_tokens.hpp"
#include "workers/json/json_validator.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// Takes the raw text of each value it is called with.
struct TakeRaw {
  std::vector<std::string_view>& found;   // by slot
  std::vector<std::string_view>& values;  // each once, however many slots name it

  simdjson::error_code operator()(const json::PointerNode& node, json::JsonTokens& tokens) const {
    std::string_view raw;
    if (const auto error = tokens.take(raw)) return error;
    values.push_back(raw);
    for (const std::size_t slot : node.slots) found[slot] = values.back();
    return simdjson::SUCCESS;
  }
};

class SelectStep final : public Step {
 public:
  SelectStep(const ParamValue& pointer, bool validate) : validate_(validate) {
    if (const auto* text = std::get_if<std::string>(&pointer)) {
      form_ = Form::single;
      add(*text);
    } else if (const auto* list = std::get_if<StringList>(&pointer)) {
      form_ = Form::list;
      for (const std::string& item : *list) add(item);
    } else {
      form_ = Form::map;
      for (const auto& [name, item] : std::get<StringMap>(pointer)) {
        names_.push_back(name);
        add(item);
      }
    }
  }

  Result<void> run(const Input& input, Output& output) override {
    const std::string_view text = json::without_bom(input.bytes);
    if (validate_ && !validator_.is_valid(text)) return json::not_json(text, simdjson::TAPE_ERROR);
    found_.assign(pointers_.size(), {});
    values_.clear();
    Result<void> done;
    for (const json::PointerNode& pass : passes_)
      if (done) done = select(text, pass);
    tokenizer_.release_if_large();
    if (!done) return done;
    for (const std::string_view value : values_)
      if (!validate_ && !validator_.is_valid(value))
        return json::not_json(text, simdjson::TAPE_ERROR);
    return write(output);
  }

 private:
  enum class Form : std::uint8_t { single, list, map };

  // Pointers that lead into each other's values need a pass each; others share the first.
  void add(const std::string& pointer) {
    const std::size_t slot = pointers_.size();
    pointers_.push_back(pointer);
    for (json::PointerNode& pass : passes_)
      if (pass.add(pointer, slot)) return;
    passes_.emplace_back().add(pointer, slot);
  }

  Result<void> select(std::string_view text, const json::PointerNode& pass) {
    json::JsonTokens tokens;
    TakeRaw take{found_, values_};
    auto error = tokenizer_.start(text, tokens);
    if (!error) error = walk(tokens, pass, take);
    if (!error) error = tokens.finish();
    if (error) return json::not_json(text, error);
    return {};
  }

  Result<void> write(Output& output) const {
    if (form_ == Form::single) {
      if (found_[0].data() == nullptr)
        return Error(ErrorCode::processing_failed, "there is nothing at " + quoted(pointers_[0]));
      output.use_input(found_[0]);
      return {};
    }
    // One value may be named many times.
    std::size_t total_bytes = 0;
    for (const std::string_view value : found_) total_bytes += value.size();
    if (total_bytes > step_output_bytes_max)
      return Error(ErrorCode::result_too_large,
                   "the selected values add up to " + std::to_string(total_bytes) + " bytes");
    output.bytes += form_ == Form::list ? '[' : '{';
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (i > 0) output.bytes += ',';
      if (form_ == Form::map) {
        json::append_json_string(output.bytes, names_[i]);
        output.bytes += ':';
      }
      output.bytes += found_[i].data() == nullptr ? std::string_view("null") : found_[i];
    }
    output.bytes += form_ == Form::list ? ']' : '}';
    return {};
  }

  static std::string quoted(std::string_view pointer) {
    std::string text;
    json::append_json_string(text, pointer);
    return text;
  }

  Form form_ = Form::single;
  bool validate_;
  StringList pointers_;
  StringList names_;
  std::vector<json::PointerNode> passes_;
  std::vector<std::string_view> found_;  // per pointer; a null view: nothing there
  std::vector<std::string_view> values_;
  json::JsonTokenizer tokenizer_;
  json::JsonValidator validator_;
};

constexpr ParamSpec params[] = {
    {.name = "pointer",
     .types = string_type | string_list_type | string_map_type,
     .required = true,
     .fault = json::json_pointer_fault,
     .description =
         "One JSON Pointer (RFC 6901) gives the value there, and fails when there is none; a list "
         "gives an array and an object of names an object, with null for what is missing."},
    {.name = "validate",
     .types = boolean_type,
     .default_json = "false",
     .description = "Check all of the document, not only UTF-8, structure and what is selected."},
};
constexpr Example examples[] = {
    {.params = R"({"pointer":"/items/1/name"})",
     .input = R"({"items":[{"name":"axle"},{"name":"wheel"}]})",
     .output = R"("wheel")"},
    {.params = R"({"pointer":{"first":"/items/0/name","total":"/total"}})",
     .input = R"({"items":[{"name":"axle"}],"total":12345678901234567890123})",
     .output = R"({"first":"axle","total":12345678901234567890123})"},
};
constexpr std::string_view input_types[] = {"application/json"};

}  // namespace

extern const Op json_select_op;
const Op json_select_op{
    .name = "json.select",
    .summary = "The values that JSON Pointers name, exactly as written.",
    .limits =
        "A pointer has at most 128 levels. Without `validate`, all of the document is checked for "
        "UTF-8 and structure: brackets that match, at most 1,024 deep, keys, commas and colons, "
        "and nothing behind the end; numbers, literals and escapes only in what is selected.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<SelectStep>(*given.find("pointer"), given.get<bool>("validate"));
    },
};

}  // namespace fetchmill::workers::ops
