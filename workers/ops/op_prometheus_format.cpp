// prometheus.format: JSON as Prometheus' text format 0.0.4, so that any API becomes a scrape
// target.
#include "config/ascii.hpp"
#include "workers/json/json_locate.hpp"
#include "workers/json/json_number.hpp"
#include "workers/json/json_text.hpp"
#include "workers/json/json_write.hpp"
#include "workers/json/simdjson_buffers.hpp"
#include "workers/ops/op.hpp"
#include "workers/ops/prometheus_metrics.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <boost/unordered/unordered_flat_set.hpp>
#include <xxhash.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
namespace dom = simdjson::dom;

// Labels multiply what an item has. A string takes twice its size while it grows, and the document
// and the series are there besides.
constexpr std::size_t metrics_bytes_max = 64UL << 20U;

// A series, by where it stands in the output: copies of them all would take more than that does.
struct Series {
  std::uint32_t start;
  std::uint32_t bytes;

  std::string_view in(const std::string& out) const {
    return std::string_view(out).substr(start, bytes);
  }
};
struct SeriesHash {
  using is_avalanching = void;
  const std::string* out;

  std::size_t operator()(Series series) const {
    return XXH3_64bits(out->data() + series.start, series.bytes);
  }
};
struct SeriesEqual {
  const std::string* out;

  bool operator()(Series a, Series b) const { return a.in(*out) == b.in(*out); }
};

// One family as it is written.
struct FamilyText {
  FamilyText(const FamilySpec& spec, std::string& text)
      : family(spec), out(text), series(0, SeriesHash{&text}, SeriesEqual{&text}) {}

  const FamilySpec& family;
  std::string& out;
  boost::unordered_flat_set<Series, SeriesHash, SeriesEqual> series;  // those so far
};

void append_escaped(std::string& out, std::string_view text, bool in_quotes) {
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && in_quotes)
      out += "\\\"";
    else
      out += c;
  }
}

// A number in a string, as many APIs write prices. False when the string is none. Digits are kept
// as written.
bool append_number_text(std::string& out, std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (std::isnan(number))
    out += "NaN";
  else if (std::isinf(number))
    out += number > 0 ? "+Inf" : "-Inf";
  else
    out += text;
  return true;
}

// simdjson refuses all of a document for one number that it cannot hold. As a string it matters
// only where it is asked for, and is a value or a label there with the same digits.
// Requires: valid JSON.
std::string with_large_numbers_in_quotes(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    bool quoted = false;
    if (text[at] == '"') {
      end = json::string_end(text, at);
    } else if (text[at] == '-' || ascii::is_digit(text[at])) {
      end = std::min(text.find_first_not_of("0123456789+-.eE", at), text.size());
      quoted = !json::is_dom_number(text.substr(at, end - at));
    }
    if (quoted) out += '"';
    out += text.substr(at, end - at);
    if (quoted) out += '"';
    at = end;
  }
  return out;
}

// False for what is no number.
bool append_value(std::string& out, dom::element value) {
  switch (value.type()) {
    case dom::element_type::INT64:
      json::append_json_number(out, value.get_int64().value_unsafe());
      return true;
    case dom::element_type::UINT64:
      json::append_json_number(out, value.get_uint64().value_unsafe());
      return true;
    case dom::element_type::DOUBLE:
      json::append_json_number(out, value.get_double().value_unsafe());
      return true;
    case dom::element_type::BOOL:
      out += value.get_bool().value_unsafe() ? '1' : '0';
      return true;
    case dom::element_type::STRING:
      return append_number_text(out, value.get_string().value_unsafe());
    default:
      return false;
  }
}

// Null and nothing there are the same: there is no value.
std::optional<dom::element> find(dom::element item, std::string_view pointer) {
  dom::element found;
  if (item.at_pointer(pointer).get(found) || found.is_null()) return std::nullopt;
  return found;
}

class FormatStep final : public Step {
 public:
  explicit FormatStep(std::vector<FamilySpec> families) : families_(std::move(families)) {}

  Result<void> run(const Input& input, Output& output) override {
    const std::string_view text = json::without_bom(input.bytes);
    dom::element document;
    // In place: the body is padded.
    auto error = parser_.parse(text.data(), text.size(), false).get(document);
    if (error == simdjson::NUMBER_ERROR && !json::json_locate(text))
      error = parser_.parse(with_large_numbers_in_quotes(text)).get(document);
    if (error) return json::not_json(text, error);
    auto done = Result<void>();
    for (const FamilySpec& family : families_) {
      done = add_family(output.bytes, family, document);
      if (!done) break;
    }
    json::release_if_large(parser_);
    return done;
  }

 private:
  static Result<void> add_family(std::string& out, const FamilySpec& family,
                                 dom::element document) {
    FamilyText text(family, out);
    for (const SampleSpec& spec : family.samples)
      if (auto added = add_samples(text, spec, document); !added) return added;
    return {};
  }

  static Result<void> add_samples(FamilyText& text, const SampleSpec& spec, dom::element document) {
    if (!spec.items) return add_sample(text, spec, document, {});
    const auto items = find(document, *spec.items);
    dom::array array;
    dom::object object;
    if (items && !items->get(array)) {
      std::size_t index = 0;
      for (const dom::element item : array)
        if (auto added = add_sample(text, spec, item, std::to_string(index++)); !added)
          return added;
    } else if (items && !items->get(object)) {
      for (const auto& [key, item] : object)
        if (auto added = add_sample(text, spec, item, key); !added) return added;
    } else {
      return fault(spec, items ? "what `items` points to is neither an array nor an object"
                               : "there is nothing where `items` points to");
    }
    return {};
  }

  static Result<void> add_sample(FamilyText& text, const SampleSpec& spec, dom::element item,
                                 std::string_view key) {
    const auto value = find(item, spec.value);
    if (!value) return {};
    std::string& out = text.out;
    if (text.series.empty()) append_head(out, text.family);
    const std::size_t start = out.size();
    out += text.family.name;
    if (auto done = append_labels(out, spec, item, key); !done) return done;
    const Series series{static_cast<std::uint32_t>(start),
                        static_cast<std::uint32_t>(out.size() - start)};
    if (!text.series.insert(series).second)
      return fault(spec, item_words(spec, key) + "there already is a series " +
                             std::string(series.in(out)) +
                             "; give the labels that tell them apart");
    out += ' ';
    if (!append_value(out, *value))
      return fault(spec, item_words(spec, key) + "the value of " + std::string(series.in(out)) +
                             " is no number, or one out of a double's range");
    out += '\n';
    return check_size(out);
  }

  static Result<void> check_size(const std::string& out) {
    if (out.size() <= metrics_bytes_max) return {};
    return Error(ErrorCode::result_too_large, "the metrics make more than 64 MiB");
  }

  static void append_head(std::string& out, const FamilySpec& family) {
    if (!family.help.empty()) {
      out += "# HELP " + family.name + " ";
      append_escaped(out, family.help, false);
      out += '\n';
    }
    out += "# TYPE " + family.name + " " + family.type + "\n";
  }

  // Labels without a value are left out: to Prometheus that is the same.
  static Result<void> append_labels(std::string& out, const SampleSpec& spec, dom::element item,
                                    std::string_view key) {
    char separator = '{';
    for (const LabelSpec& label : spec.labels) {
      std::string text;
      if (label.from == LabelSpec::From::pointer) {
        const auto value = find(item, label.text);
        if (!value) continue;
        std::string_view string;
        if (value->is_array() || value->is_object())
          return fault(spec, item_words(spec, key) + "the label " + label.name +
                                 " is an array or an object");
        if (value->get(string))
          text = simdjson::minify(*value);
        else
          text = string;
      } else {
        text = label.from == LabelSpec::From::key ? key : label.text;
      }
      if (text.empty()) continue;
      out += std::exchange(separator, ',');
      out += label.name;
      out += "=\"";
      append_escaped(out, text, true);
      out += '"';
      if (auto fits = check_size(out); !fits) return fits;
    }
    if (separator == ',') out += '}';
    return {};
  }

  static std::string item_words(const SampleSpec& spec, std::string_view key) {
    constexpr std::size_t shown_bytes_max = 60;
    return spec.items ? "item " + std::string(key.substr(0, shown_bytes_max)) + ": " : "";
  }

  static Error fault(const SampleSpec& spec, std::string_view detail) {
    return Error(ErrorCode::processing_failed,
                 "metrics[" + std::to_string(spec.index) + "]: " + std::string(detail));
  }

  std::vector<FamilySpec> families_;
  dom::parser parser_;
};

constexpr ParamSpec params[] = {
    {.name = "metrics",
     .types = json_type,
     .required = true,
     .description =
         "A list of `{\"name\",\"type\",\"help\",\"items\",\"value\",\"labels\"}`. `items`: JSON "
         "Pointer to an array or object, each element or member of which gives a sample; without "
         "it the document gives one. `value`: pointer inside the item to a number, a boolean (1 "
         "or 0) or a number in a string; null and missing give no sample. `labels`: name → "
         "pointer inside the item (`/…`), `$key` (the member's name or the element's number), or "
         "a constant, after `=` if it begins with `/`, `$key` or `=`. `type`: gauge (default), "
         "counter or untyped. Entries of one name make one family."},
};
constexpr Example examples[] = {
    {.params =
         R"({"metrics":[{"name":"wheel_turns_total","type":"counter","help":"Turns so far.","items":"/wheels","value":"/turns","labels":{"wheel":"/name","site":"mill"}},{"name":"up_to_date","value":"/fresh"}]})",
     .input =
         R"({"fresh":true,"wheels":[{"name":"north","turns":1200},{"name":"south","turns":"7.5"}]})",
     .output = R"(# HELP wheel_turns_total Turns so far.
# TYPE wheel_turns_total counter
wheel_turns_total{site="mill",wheel="north"} 1200
wheel_turns_total{site="mill",wheel="south"} 7.5
# TYPE up_to_date gauge
up_to_date 1
)"},
};
constexpr std::string_view input_types[] = {"application/json"};

}  // namespace

extern const Op prometheus_format_op;
const Op prometheus_format_op{
    .name = "prometheus.format",
    .summary = "JSON as Prometheus' text format, so that any API becomes a scrape target.",
    .limits =
        "256 metrics with 64 labels each. Metrics of more than 64 MiB end in `result_too_large`. "
        "Two samples of one name and the same labels are an error. Integers of more than 64 bits "
        "stay as they are written.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "text/plain; version=0.0.4; charset=utf-8",
    .check = [](const Params& given) -> Result<void> {
      const auto families = read_metric_families(given.get<JsonText>("metrics").text);
      if (!families) return families.error();
      return {};
    },
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      auto families = read_metric_families(given.get<JsonText>("metrics").text);
      if (!families) return families.error();
      return std::make_unique<FormatStep>(*std::move(families));
    },
};

}  // namespace fetchmill::workers::ops
