// jq: a jq program over the body, by libjq.
//
// A program reaches nothing outside: definitions in front of it replace what would read the
// environment, other inputs, files or modules, and leave no place where the grammar allows import
// and include. libjq itself has no limits: the worker's hold.
#include "workers/json/json_lines.hpp"
#include "workers/json/json_machine.hpp"
#include "workers/json/json_text.hpp"
#include "workers/json/json_validator.hpp"
#include "workers/ops/media_type.hpp"
#include "workers/ops/op.hpp"

#include <algorithm>
#include <limits>
#include <new>

#include <unistd.h>

extern "C" {
#include <jq.h>
#include <jv.h>
}

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// On the program's first line, so that jq counts lines as its author does.
constexpr std::string_view prelude =
    "def env:{};def input:error(\"No more inputs\");def inputs:empty;def input_filename:null;"
    "def input_line_number:0;def modulemeta:error(\"modules cannot be loaded\");"
    "def stderr:.;def debug:.; ";
constexpr std::size_t message_bytes_max = 1000;
// Within the array that several outputs make.
constexpr std::size_t output_depth_max = json::json_depth_max - 1;

std::string text_of(jv string) {
  std::string text(jv_string_value(string),
                   static_cast<std::size_t>(jv_string_length_bytes(jv_copy(string))));
  jv_free(string);
  return text;
}

// The message of an error as text: strings are raw, other values JSON, as jq prints them.
std::string message_of(jv message) {
  if (jv_get_kind(message) == JV_KIND_STRING) return text_of(message);
  return "(not a string): " + text_of(jv_dump_string(message, 0));
}

void remove(std::string& text, std::string_view part) {
  if (const std::size_t at = text.find(part); at != std::string::npos) text.erase(at, part.size());
}

std::string shortened(std::string text) {
  if (text.size() <= message_bytes_max) return text;
  std::size_t end = message_bytes_max;
  while ((static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "…";
}

// What jq says about a program that does not compile, one mistake a call, on one line.
void collect(void* errors, jv message) {
  std::string text = message_of(message);
  if (!text.starts_with("jq: error: ")) return;  // "jq: 2 compile errors"
  remove(text, "jq: error: ");
  remove(text, prelude);
  remove(text, " (Unix shell quoting issues?)");
  if (const std::size_t newline = text.find('\n'); newline != std::string::npos)
    text[newline] = ' ';
  text.erase(text.find_last_not_of(" \n") + 1);
  if (text.find("unexpected import") != std::string::npos ||
      text.find("unexpected include") != std::string::npos)
    text += " (modules cannot be loaded)";
  std::string& all = *static_cast<std::string*>(errors);
  if (!all.empty()) all += "; ";
  all += text;
}

// libjq would abort. Its frames can be unwound but keep what they hold, so the worker ends, as it
// does wherever memory runs out.
void out_of_memory(void*) {
  throw std::bad_alloc();
}

// Recurses `levels` deep at most.
bool is_deeper_than(std::size_t levels, jv value) {
  const jv_kind kind = jv_get_kind(value);
  if (kind != JV_KIND_ARRAY && kind != JV_KIND_OBJECT) return false;
  if (levels == 0) return true;
  const auto child_is_deeper = [levels](jv child) {
    const bool deeper = is_deeper_than(levels - 1, child);
    jv_free(child);
    return deeper;
  };
  if (kind == JV_KIND_ARRAY) {
    const int length = jv_array_length(jv_copy(value));
    for (int i = 0; i < length; ++i)
      if (child_is_deeper(jv_array_get(jv_copy(value), i))) return true;
    return false;
  }
  for (int i = jv_object_iter(value); jv_object_iter_valid(value, i) != 0;
       i = jv_object_iter_next(value, i))
    if (child_is_deeper(jv_object_iter_value(value, i))) return true;
  return false;
}

// A program compiles without an environment: it binds $ENV to what there is, and would look for
// ~/.jq.
class EmptyEnvironment {
 public:
  EmptyEnvironment() { environ = none_; }
  ~EmptyEnvironment() { environ = saved_; }
  EmptyEnvironment(const EmptyEnvironment&) = delete;
  EmptyEnvironment& operator=(const EmptyEnvironment&) = delete;

 private:
  char** saved_ = environ;
  char* none_[1] = {nullptr};
};

class JqStep final : public Step {
 public:
  explicit JqStep(std::string program) : program_(std::move(program)) {}
  ~JqStep() override { jq_teardown(&jq_); }

  // What is wrong with the program, or nothing.
  std::string compile() {
    std::string errors;
    jq_ = jq_init();
    if (jq_ == nullptr) throw std::bad_alloc();
    // jq_compile and jq_start install the handler of their jq_state, which jq_init leaves unset.
    jq_set_nomem_handler(jq_, out_of_memory, nullptr);
    const EmptyEnvironment none;
    jq_set_error_cb(jq_, collect, &errors);
    const bool compiled = jq_compile(jq_, (std::string(prelude) + program_).c_str()) != 0;
    jq_set_error_cb(
        jq_, [](void*, jv message) { jv_free(message); }, nullptr);
    if (!compiled && errors.empty()) errors = "does not compile";
    return compiled ? std::string() : errors;
  }

  Result<void> run(const Input& input, Output& output) override {
    const std::string_view text = json::without_bom(input.bytes);
    const bool lines = is_ndjson_media_type(input.media_type);
    std::size_t count = 0;
    auto done = lines ? run_lines(text, output.bytes, count) : run_text(text, output.bytes, count);
    if (done && (lines || count != 1)) output.bytes = "[" + output.bytes + "]";
    return done;
  }

 private:
  // As the command jq runs a program over each of several texts.
  Result<void> run_lines(std::string_view text, std::string& out, std::size_t& count) {
    Result<void> done;
    json::for_each_line(text, [&](std::string_view line, const json::JsonLine& place) {
      if (!validator_.is_valid(line)) {
        done = json::not_json(line, simdjson::TAPE_ERROR, place);
        return false;
      }
      done = run_valid(line, " at line ", out, count);
      if (!done) done.error().detail.insert(0, "line " + std::to_string(place.number) + ": ");
      return done && jq_ != nullptr;  // null: the program halted
    });
    return done;
  }

  Result<void> run_text(std::string_view text, std::string& out, std::size_t& count) {
    if (!validator_.is_valid(text)) return json::not_json(text, simdjson::TAPE_ERROR);
    return run_valid(text, " (while parsing", out, count);
  }

  // Of what the parser says, what `not_told` begins is left out.
  Result<void> run_valid(std::string_view text, std::string_view not_told, std::string& out,
                         std::size_t& count) {
    if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
      return Error(ErrorCode::processing_failed, "the document is larger than 2 GiB");
    jv document = jv_parse_sized(text.data(), static_cast<int>(text.size()));
    if (jv_is_valid(document) == 0) {
      std::string message = message_of(jv_invalid_get_msg(document));
      // The place, then the whole document.
      message.erase(std::min(message.find(not_told), message.size()));
      return Error(ErrorCode::processing_failed, shortened(message));
    }
    if (jq_ == nullptr) compile();
    jq_start(jq_, document, 0);
    auto done = take_outputs(out, count);
    // Gives up what the program holds of this body. libjq 1.6 frees the message of a halt twice
    // when it is started again after one.
    if (jq_halted(jq_) != 0)
      jq_teardown(&jq_);
    else
      jq_start(jq_, jv_null(), 0);
    return done;
  }

  // Behind a comma each, but for the first.
  Result<void> take_outputs(std::string& out, std::size_t& count) {
    jv value = jq_next(jq_);
    for (; jv_is_valid(value) != 0; value = jq_next(jq_)) {
      if (is_deeper_than(output_depth_max, value)) {
        jv_free(value);
        return Error(ErrorCode::processing_failed, "an output is nested deeper than 1023 levels");
      }
      const jv dumped = jv_dump_string(value, 0);
      const auto bytes = static_cast<std::size_t>(jv_string_length_bytes(jv_copy(dumped)));
      const bool fits = out.size() + bytes < step_output_bytes_max;
      if (fits) {
        if (count++ > 0) out += ',';
        out.append(jv_string_value(dumped), bytes);
      }
      jv_free(dumped);
      if (!fits)
        return Error(ErrorCode::result_too_large, "the outputs add up to more than 256 MiB");
    }
    if (jq_halted(jq_) != 0) {
      const jv message = jq_get_error_message(jq_);
      if (jv_is_valid(message) != 0) return failed(message);
      jv_free(message);
    } else if (jv_invalid_has_msg(jv_copy(value)) != 0) {
      return failed(jv_invalid_get_msg(value));
    }
    jv_free(value);
    return {};
  }

  static Result<void> failed(jv message) {
    return Error(ErrorCode::processing_failed, shortened(message_of(message)));
  }

  std::string program_;
  jq_state* jq_ = nullptr;  // compiled, except after a halt
  json::JsonValidator validator_;
};

Result<std::unique_ptr<Step>> compile(const Op&, const Params& given) {
  auto step = std::make_unique<JqStep>(given.get<std::string>("program"));
  if (std::string errors = step->compile(); !errors.empty())
    return Error(ErrorCode::invalid_request, shortened(std::move(errors)), "program");
  return step;
}

std::string program_fault(std::string_view program) {
  if (program.find('\0') == std::string_view::npos) return {};
  return "must not hold a zero character";
}

constexpr ParamSpec params[] = {
    {.name = "program",
     .required = true,
     .fault = program_fault,
     .description =
         "A jq 1.6 program. One output is the result itself; several make an array, none makes an "
         "empty one. There are no modules, no environment and no further inputs. It runs on each "
         "line of application/x-ndjson, and the outputs of all make an array, even if there is "
         "one."},
};
constexpr Example examples[] = {
    {.params = R"-({"program":".items | map(select(.price < 10)) | map(.name)"})-",
     .input = R"({"items":[{"name":"axle","price":8.5},{"name":"wheel","price":19}]})",
     .output = R"(["axle"])"},
    {.params = R"({"program":".[] | .name"})",
     .input = R"([{"name":"axle"},{"name":"wheel"}])",
     .output = R"(["axle","wheel"])"},
};
constexpr std::string_view input_types[] = {"application/json", "application/x-ndjson"};

}  // namespace

extern const Op jq_op;
const Op jq_op{
    .name = "jq",
    .summary = "A jq program over the JSON; several outputs become an array.",
    .limits =
        "jq computes with doubles: integers beyond 2^53 lose digits, even when a program only "
        "passes them on (`json.select` and `json.query` keep them). The body may be nested 256 "
        "deep, an output 1,023. A program that does not end, or takes too much memory, ends with "
        "its worker's limits.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .compile = compile,
};

}  // namespace fetchmill::workers::ops
