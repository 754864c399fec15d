// html.select: what CSS selectors find in a page.
#include "config/ascii.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/css_match.hpp"
#include "workers/ops/html_base.hpp"
#include "workers/ops/html_serialize.hpp"
#include "workers/ops/html_text.hpp"
#include "workers/ops/op.hpp"

#include <optional>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

enum class Form : std::uint8_t { text, outer_html, inner_html, attribute };

// What is told of an element.
struct Told {
  Form form = Form::text;
  std::string attribute;
};

constexpr std::string_view attribute_prefix = "attribute:";

bool is_attribute_name(std::string_view name) {
  return !name.empty() && name.find_first_of(" \t\n\f\r\"'<>/=\0") == std::string_view::npos;
}

std::optional<Told> parse_output(std::string_view text) {
  if (text == "text") return Told{Form::text, {}};
  if (text == "html") return Told{Form::outer_html, {}};
  if (text == "inner_html") return Told{Form::inner_html, {}};
  if (!text.starts_with(attribute_prefix)) return std::nullopt;
  const std::string_view name = text.substr(attribute_prefix.size());
  if (!is_attribute_name(name)) return std::nullopt;
  return Told{Form::attribute, std::string(name)};
}

std::string output_fault(std::string_view text) {
  return parse_output(text) ? "" : "must be text, html, inner_html or attribute:NAME";
}

struct Field {
  std::string name;
  std::optional<SelectorList> selector;  // none: the record's element itself
  Told told;
};

// "SELECTOR", "SELECTOR@ATTRIBUTE" or "@ATTRIBUTE". A selector has no "@" outside quotes and
// brackets, and nothing with those follows the one that is meant.
config::BasicResult<Field, std::string> parse_field(std::string_view name, std::string_view text,
                                                    const Told& told) {
  Field field{std::string(name), {}, told};
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos && text.find_first_of("\"'])", at) == std::string_view::npos) {
    const std::string_view attribute = ascii::trimmed(text.substr(at + 1));
    if (!is_attribute_name(attribute)) return std::string("there is no attribute after '@'");
    field.told = {Form::attribute, std::string(attribute)};
    text = text.substr(0, at);
    if (ascii::trimmed(text).empty()) return field;
  }
  auto selector = parse_selector(text);
  if (!selector) return selector.error();
  field.selector = std::move(*selector);
  return field;
}

class SelectStep final : public Step {
 public:
  SelectStep(SelectorList selector, Told told, std::vector<Field> fields)
      : selector_(std::move(selector)), told_(std::move(told)), fields_(std::move(fields)) {}

  Result<void> run(const Input& input, Output& output) override {
    if (auto done = page_.parse(input); !done) return done;
    SelectorMatcher matcher;
    std::string& out = output.bytes;
    out += '[';
    for (const GumboNode* found : matcher.select(page_.root(), selector_)) {
      if (out.size() > 1) out += ',';
      if (fields_.empty())
        value(*found, told_, out);
      else
        record(*found, matcher, out);
      if (is_full(out)) break;
    }
    out += ']';
    page_.clear();
    if (is_full(out))
      return Error(ErrorCode::result_too_large, "what is selected adds up to more than 64 MiB");
    if (!matcher.exhausted()) return {};
    return Error(ErrorCode::processing_failed, "the selectors take more than " +
                                                   std::to_string(selector_steps_max) +
                                                   " steps on this page");
  }

 private:
  static bool is_full(const std::string& out) { return out.size() > html_result_bytes_max; }

  static void value(const GumboNode& element, const Told& told, std::string& out) {
    std::string text;
    switch (told.form) {
      case Form::text:
        // As innerText: the text of what is not shown is all of it, as it stands.
        if (is_hidden(element))
          append_text_content(element, text);
        else
          append_inner_text(element, text);
        break;
      case Form::outer_html:
        append_outer_html(element, text);
        break;
      case Form::inner_html:
        append_inner_html(element, text);
        break;
      case Form::attribute:
        if (const auto found = attribute(element, told.attribute.c_str())) {
          text = *found;
          break;
        }
        out += "null";
        return;
    }
    json::append_json_string(out, text);
  }

  // Cut short once there is too much: every field may hold all of the element.
  void record(const GumboNode& element, SelectorMatcher& matcher, std::string& out) const {
    char before = '{';
    for (const Field& field : fields_) {
      if (is_full(out)) return;
      out += before;
      before = ',';
      json::append_json_string(out, field.name);
      out += ':';
      const GumboNode* found = field.selector ? matcher.first(element, *field.selector) : &element;
      if (found == nullptr)
        out += "null";
      else
        value(*found, field.told, out);
    }
    out += '}';
  }

  SelectorList selector_;
  Told told_;
  std::vector<Field> fields_;
  HtmlDocument page_;
};

std::string selector_fault(std::string_view text) {
  const auto parsed = parse_selector(text);
  return parsed ? std::string() : "cannot be used: " + parsed.error();
}

std::string field_fault(std::string_view text) {
  const auto parsed = parse_field({}, text, {});
  return parsed ? std::string() : "cannot be used: " + parsed.error();
}

constexpr ParamSpec params[] = {
    {.name = "selector",
     .required = true,
     .fault = selector_fault,
     .description =
         "A CSS selector: Selectors Level 3, and :is, :where, :not and :has of Level 4; no "
         "pseudo-elements, no namespace prefixes, no :indeterminate. What only a user "
         "brings about, such as :hover or :target, matches nothing."},
    {.name = "output",
     .default_json = R"("text")",
     .fault = output_fault,
     .description =
         "What is told of each element: text (as a browser shows it; of an element that itself is "
         "never shown, such as title, script or one with hidden, as it is written), html, "
         "inner_html or attribute:NAME (null where it is missing)."},
    {.name = "fields",
     .types = string_map_type,
     .fault = field_fault,
     .description = "Name to selector: each element found becomes an object of the first match "
                    "inside it, null where there is none. A selector may end in @NAME for an "
                    "attribute; @NAME alone is the element's own; :scope is the element."},
};
constexpr Example examples[] = {
    {.params = R"~({"selector":"li:not(.sold)"})~",
     .input = "<ul><li>Front<li class=sold>Middle<li>Rear</ul>",
     .output = R"(["Front","Rear"])"},
    {.params = R"~({"selector":"tr:has(td)","fields":{"name":"td","url":"a@href"}})~",
     .input = "<table><tr><th>Wheel<tr><td><a href=/1>Front</a><tr><td>Rear</table>",
     .output = R"([{"name":"Front","url":"/1"},{"name":"Rear","url":null}])"},
};

}  // namespace

extern const Op html_select_op;
const Op html_select_op{
    .name = "html.select",
    .summary = "What a CSS selector finds in a page, as text, HTML, attributes or records.",
    .limits = html_limits,
    .examples = examples,
    .params = params,
    .input = html_types,
    .output = "application/json",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      std::vector<Field> fields;
      const Told told = *parse_output(given.get<std::string>("output"));
      if (const ParamValue* map = given.find("fields"))
        for (const auto& [name, text] : std::get<StringMap>(*map))
          fields.push_back(*parse_field(name, text, told));
      return std::make_unique<SelectStep>(*parse_selector(given.get<std::string>("selector")), told,
                                          std::move(fields));
    },
};

}  // namespace fetchmill::workers::ops
