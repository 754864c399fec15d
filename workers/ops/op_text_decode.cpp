// text.decode: a text in any of the web's encodings, to UTF-8.
#include "workers/ops/op.hpp"
#include "workers/ops/text_input.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Result;

class DecodeStep final : public Step {
 public:
  explicit DecodeStep(const Params& given) : text_(given) {}

  Result<void> run(const Input& input, Output& output) override {
    const Result<std::string_view> text = text_.read_leniently(input);
    if (!text) return text.error();
    const bool is_input = text->data() >= input.bytes.data() &&
                          text->data() <= input.bytes.data() + input.bytes.size();
    if (is_input)
      output.use_input(*text);
    else
      output.bytes.assign(*text);
    return {};
  }

 private:
  TextInput text_;
};

constexpr ParamSpec params[] = {charset_param};
constexpr Example examples[] = {
    {.input = "caf\xE9", .output = "café", .media_type = "text/plain; charset=latin1"},
    {.params = R"({"charset":"shift_jis"})", .input = "\x90\x85\x8E\xD4", .output = "水車"},
};
constexpr std::string_view input_types[] = {"text/*"};

}  // namespace

extern const Op text_decode_op;
const Op text_decode_op{
    .name = "text.decode",
    .summary = "A text in any encoding that browsers read, as UTF-8 without a byte order mark.",
    .limits = "Bytes that mean nothing in the encoding become U+FFFD.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "text/plain; charset=utf-8",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<DecodeStep>(given);
    },
};

}  // namespace fetchmill::workers::ops
