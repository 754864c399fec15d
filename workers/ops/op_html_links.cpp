// html.links: where a page leads.
#include "config/ascii.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/html_base.hpp"
#include "workers/ops/html_text.hpp"
#include "workers/ops/op.hpp"

#include <unordered_set>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

class LinksStep final : public Step {
 public:
  explicit LinksStep(const Params& params)
      : main_content_(params.get<bool>("main_content")), base_url_(base_url_of(params)) {}

  Result<void> run(const Input& input, Output& output) override {
    if (auto done = page_.parse(input); !done) return done;
    const GumboNode& root = page_.root();
    const std::string base = effective_base(root, base_url_, input.final_url);
    std::unordered_set<std::string> seen;
    output.bytes += '[';
    links(main_content_ ? ops::main_content(root) : root, base, seen, output.bytes);
    output.bytes += ']';
    page_.clear();
    if (output.bytes.size() <= html_result_bytes_max) return {};
    return Error(ErrorCode::result_too_large, "the links add up to more than 64 MiB");
  }

 private:
  void links(const GumboNode& node, const std::string& base, std::unordered_set<std::string>& seen,
             std::string& out) const {
    if (out.size() > html_result_bytes_max || node.type == GUMBO_NODE_TEMPLATE) return;
    if (is_element(node) && main_content_ && is_boilerplate(node)) return;
    const GumboTag tag = html_tag(node);
    if (tag == GUMBO_TAG_A || tag == GUMBO_TAG_AREA) link(node, base, seen, out);
    for (const GumboNode* child : children(node)) links(*child, base, seen, out);
  }

  static void link(const GumboNode& node, const std::string& base,
                   std::unordered_set<std::string>& seen, std::string& out) {
    const auto reference = attribute(node, "href");
    if (!reference) return;
    std::string url = resolve_reference(base, *reference);
    if (url.empty() ||
        ascii::equals_ignoring_case(std::string_view(url).substr(0, 11), "javascript:"))
      return;
    const auto [added, is_new] = seen.insert(std::move(url));
    if (!is_new) return;
    if (out.size() > 1) out += ',';
    out += R"({"url":)";
    json::append_json_string(out, *added);
    out += R"(,"text":)";
    std::string text;
    append_inner_text(node, text);
    if (text.empty()) text = attribute_or_empty(node, "alt");
    json::append_json_string(out, collapsed(text));
    out += R"(,"rel":)";
    if (const auto rel = attribute(node, "rel"))
      json::append_json_string(out, collapsed(*rel));
    else
      out += "null";
    out += '}';
  }

  bool main_content_;
  std::string base_url_;
  HtmlDocument page_;
};

constexpr ParamSpec params[] = {base_url_param, main_content_param};
constexpr Example examples[] = {
    {.params = R"({"base_url":"https://shop.example/list"})",
     .input = "<a href=1>Front <b>wheel</b></a> <a href='/list/../2' rel=nofollow>Rear</a> "
              "<a href=2#top>Rear</a><a href=1>again</a>",
     .output = R"([{"url":"https://shop.example/1","text":"Front wheel","rel":null},)"
               R"({"url":"https://shop.example/2","text":"Rear","rel":"nofollow"},)"
               R"({"url":"https://shop.example/2#top","text":"Rear","rel":null}])"},
};

}  // namespace

extern const Op html_links_op;
const Op html_links_op{
    .name = "html.links",
    .summary =
        "The links of a page: absolute, each once, with text and rel. Relative ones only "
        "where the base is known; no javascript:. Host names keep their letters beyond ASCII, "
        "which a fetch writes as xn--.",
    .limits = html_limits,
    .examples = examples,
    .params = params,
    .input = html_types,
    .output = "application/json",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<LinksStep>(given);
    },
};

}  // namespace fetchmill::workers::ops
