// text.stats: how many bytes, lines, words and characters.
#include "config/utf8.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/op.hpp"
#include "workers/ops/text_input.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Result;

struct Counts {
  std::uint64_t lines = 0;
  std::uint64_t words = 0;
  std::uint64_t characters = 0;
};

bool is_ascii_space(unsigned char byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

// Unicode's White_Space outside ASCII. Requires: one whole UTF-8 sequence.
bool is_wide_space(std::string_view sequence) {
  if (sequence.size() == 2) return sequence == "\u0085" || sequence == "\u00A0";
  if (sequence.size() != 3) return false;
  return (sequence >= "\u2000" && sequence <= "\u200A") || sequence == "\u1680" ||
         sequence == "\u2028" || sequence == "\u2029" || sequence == "\u202F" ||
         sequence == "\u205F" || sequence == "\u3000";
}

// Requires: UTF-8.
Counts count(std::string_view text) {
  Counts counts;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size(); ++counts.characters) {
    const auto byte = static_cast<unsigned char>(text[at]);
    std::size_t bytes = 1;
    bool is_space = false;
    if (byte < 0x80) {
      is_space = is_ascii_space(byte);
    } else {
      bytes = config::utf8_sequence(text.substr(at));
      is_space = is_wide_space(text.substr(at, bytes));
    }
    at += bytes;
    if (byte == '\n') ++counts.lines;
    if (!is_space && !in_word) ++counts.words;
    in_word = !is_space;
  }
  if (!text.empty() && text.back() != '\n') ++counts.lines;
  return counts;
}

class StatsStep final : public Step {
 public:
  explicit StatsStep(const Params& given) : text_(given) {}

  Result<void> run(const Input& input, Output& output) override {
    const Result<std::string_view> text = text_.read(input);
    if (!text) return text.error();
    const Counts counts = count(*text);
    std::string_view separator = "{";
    const std::pair<std::string_view, std::uint64_t> figures[] = {
        {"bytes", input.bytes.size()},
        {"lines", counts.lines},
        {"words", counts.words},
        {"characters", counts.characters},
    };
    for (const auto& [name, figure] : figures) {
      output.bytes += std::exchange(separator, ",");
      json::append_json_string(output.bytes, name);
      output.bytes += ':';
      json::append_json_number(output.bytes, figure);
    }
    output.bytes += '}';
    return {};
  }

 private:
  TextInput text_;
};

constexpr ParamSpec params[] = {charset_param};
constexpr Example examples[] = {
    {.input = "The mill\ngrinds größer.",
     .output = R"({"bytes":25,"lines":2,"words":4,"characters":23})"},
};
constexpr std::string_view input_types[] = {"text/*"};

}  // namespace

extern const Op text_stats_op;
const Op text_stats_op{
    .name = "text.stats",
    .summary = "How many bytes, lines, words and characters a text has.",
    .limits =
        "Bytes are those of the body as it came, a byte order mark included. A last line "
        "counts without its line end, too. Words are what stands between white space, "
        "characters Unicode's code points.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<StatsStep>(given);
    },
};

}  // namespace fetchmill::workers::ops
