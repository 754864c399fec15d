// csv.to_json: the records of a CSV file as JSON. Values stay strings: what looks like a number may
// be a postal code.
#include "workers/json/json_write.hpp"
#include "workers/ops/csv_reader.hpp"
#include "workers/ops/op.hpp"
#include "workers/ops/text_input.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

class CsvToJsonStep final : public Step {
 public:
  explicit CsvToJsonStep(const Params& given)
      : text_(given), delimiter_(given), has_header_(given.get<bool>("header")) {}

  Result<void> run(const Input& input, Output& output) override {
    const Result<std::string_view> text = text_.read(input);
    if (!text) return text.error();
    CsvReader reader(*text, delimiter_.of(input.media_type));
    keys_.clear();
    if (has_header_)
      if (auto named = set_keys(reader); !named) return named;
    output.bytes += '[';
    for (std::string_view separator;;) {
      const Result<bool> more = reader.next();
      if (!more) return more.error();
      if (!*more) break;
      output.bytes += std::exchange(separator, ",\n");
      if (auto done = append_record(reader, output.bytes); !done) return done;
    }
    output.bytes += ']';
    return {};
  }

 private:
  // What comes before each field: `{"a":`, `,"b":`, made once.
  Result<void> set_keys(CsvReader& reader) {
    const auto names = read_header(reader);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      std::string& key = keys_.emplace_back(keys_.empty() ? "{" : ",");
      json::append_json_string(key, name);
      key += ':';
    }
    return {};
  }

  Result<void> append_record(const CsvReader& reader, std::string& out) const {
    const auto fields = reader.fields();
    if (has_header_ && fields.size() != keys_.size())
      return wrong_field_count(reader, keys_.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (has_header_)
        out += keys_[i];
      else
        out += i == 0 ? '[' : ',';
      json::append_json_string(out, fields[i]);
    }
    out += has_header_ ? '}' : ']';
    if (out.size() <= step_output_bytes_max) return {};
    return Error(ErrorCode::result_too_large,
                 "the records up to line " + std::to_string(reader.line()) + " make more than " +
                     std::to_string(step_output_bytes_max) + " bytes of JSON");
  }

  TextInput text_;
  CsvDelimiter delimiter_;
  bool has_header_;
  std::vector<std::string> keys_;
};

constexpr ParamSpec params[] = {
    {.name = "header",
     .types = boolean_type,
     .default_json = "true",
     .description = "true: the first line names the columns, and each record becomes an object. "
                    "false: each becomes an array, however many fields it has."},
    csv_delimiter_param,
    charset_param,
};
constexpr Example examples[] = {
    {.input = "name,wheels\r\n\"Mill, the old\",2\r\n\"New \"\"mill\"\"\",\r\n",
     .output = "[{\"name\":\"Mill, the old\",\"wheels\":\"2\"},\n"
               R"({"name":"New \"mill\"","wheels":""}])"},
    {.params = R"({"header":false,"delimiter":";"})",
     .input = "a;1\nb;2;3\n",
     .output = "[[\"a\",\"1\"],\n[\"b\",\"2\",\"3\"]]"},
};
constexpr std::string_view input_types[] = {"text/csv", "text/tab-separated-values"};

}  // namespace

extern const Op csv_to_json_op;
const Op csv_to_json_op{
    .name = "csv.to_json",
    .summary = "The records of a CSV file (RFC 4180) as a JSON array of objects or arrays.",
    .limits = csv_limits,
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<CsvToJsonStep>(given);
    },
};

}  // namespace fetchmill::workers::ops
