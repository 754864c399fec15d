// html.meta: what a page says about itself, in one shape whatever the page uses to say it.
#include "config/ascii.hpp"
#include "workers/json/json_machine.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/html_base.hpp"
#include "workers/ops/op.hpp"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <vector>

#include <simdjson.h>

namespace fetchmill::workers::ops {
namespace {

using config::Result;

constexpr std::size_t open_graph_entries_max = 256;

// The first value of each kind that a page has.
class Findings {
 public:
  explicit Findings(const GumboNode& root) {
    auto look = [&](const GumboNode& element) { element_of_page(element); };
    for_each_element(root, look);
    lang_ = attribute_or_empty(root, "lang");
  }

  // The first of these names that the page has; empty: none.
  std::string_view meta(std::initializer_list<std::string_view> names) const {
    for (const std::string_view name : names)
      if (const auto found = meta_.find(name); found != meta_.end()) return found->second;
    return {};
  }
  std::string_view title() const { return title_; }
  std::string_view lang() const { return lang_; }
  std::string_view canonical() const { return canonical_; }
  std::string_view image() const { return image_; }
  std::string_view icon() const { return icon_.empty() ? touch_icon_ : icon_; }
  const auto& open_graph() const { return open_graph_; }
  const std::vector<std::string>& json_ld() const { return json_ld_; }

 private:
  void element_of_page(const GumboNode& element) {
    switch (html_tag(element)) {
      case GUMBO_TAG_META:
        return meta_element(element);
      case GUMBO_TAG_LINK:
        return link_element(element);
      case GUMBO_TAG_TITLE: {
        if (!title_.empty()) return;
        std::string text;
        append_text_content(element, text);
        title_ = collapsed(text);
        return;
      }
      case GUMBO_TAG_SCRIPT:
        if (ascii::equals_ignoring_case(collapsed(attribute_or_empty(element, "type")),
                                        "application/ld+json"))
          append_text_content(element, json_ld_.emplace_back());
        return;
      default:
        return;
    }
  }

  void meta_element(const GumboNode& element) {
    const std::string content = collapsed(attribute_or_empty(element, "content"));
    if (content.empty()) return;
    for (const char* attribute_name : {"property", "name", "itemprop", "http-equiv"}) {
      const std::string name = ascii::to_lower(attribute_or_empty(element, attribute_name));
      if (name.empty()) continue;
      meta_.try_emplace(name, content);
      if (name.starts_with("og:") && open_graph_count_++ < open_graph_entries_max)
        add_open_graph(name.substr(3), content);
      return;
    }
  }

  void add_open_graph(const std::string& name, const std::string& content) {
    const auto known = std::ranges::find(open_graph_, name, &OpenGraph::first);
    if (known == open_graph_.end())
      open_graph_.emplace_back(name, StringList{content});
    else
      known->second.push_back(content);
  }

  void link_element(const GumboNode& element) {
    const std::string_view href = ascii::trimmed(attribute_or_empty(element, "href"));
    if (href.empty()) return;
    const std::string rel =
        ' ' + ascii::to_lower(collapsed(attribute_or_empty(element, "rel"))) + ' ';
    const auto take = [&](std::string_view word, std::string_view& into) {
      if (into.empty() && rel.find(word) != std::string::npos) into = href;
    };
    take(" canonical ", canonical_);
    take(" image_src ", image_);
    take(" icon ", icon_);
    take(" apple-touch-icon", touch_icon_);
  }

  using OpenGraph = std::pair<std::string, StringList>;
  std::map<std::string, std::string, std::less<>> meta_;  // the first of each name
  std::vector<OpenGraph> open_graph_;                     // in the page's order
  std::size_t open_graph_count_ = 0;
  std::string title_;
  std::string_view lang_;
  std::string_view canonical_;
  std::string_view image_;
  std::string_view icon_;
  std::string_view touch_icon_;
  std::vector<std::string> json_ld_;
};

bool is_open_graph_url(std::string_view name) {
  for (const std::string_view suffix : {":url", ":secure_url"})
    if (name.ends_with(suffix)) return true;
  return name == "url" || name == "image" || name == "video" || name == "audio";
}

class MetaStep final : public Step {
 public:
  explicit MetaStep(const Params& params) : base_url_(base_url_of(params)) {}

  Result<void> run(const Input& input, Output& output) override {
    if (auto done = page_.parse(input); !done) return done;
    base_ = effective_base(page_.root(), base_url_, input.final_url);
    const Findings found(page_.root());
    write(found, output.bytes);
    page_.clear();
    return {};
  }

 private:
  void write(const Findings& found, std::string& out) const {
    const std::string_view title = found.meta({"og:title", "twitter:title"});
    out += '{';
    text(out, "title", title.empty() ? found.title() : title);
    text(out, "description", found.meta({"og:description", "twitter:description", "description"}));
    const std::string_view image = found.meta({"og:image", "og:image:secure_url", "og:image:url",
                                               "twitter:image", "twitter:image:src", "image"});
    text(out, "image", absolute(image.empty() ? found.image() : image));
    const std::string_view url = found.canonical();
    text(out, "url", absolute(url.empty() ? found.meta({"og:url", "twitter:url"}) : url));
    text(out, "site_name", found.meta({"og:site_name", "application-name"}));
    text(out, "type", found.meta({"og:type"}));
    text(out, "lang", found.lang().empty() ? found.meta({"content-language"}) : found.lang());
    text(out, "icon", absolute(found.icon()));
    open_graph(out, found);
    json_ld(out, found);
    out += '}';
  }

  std::string absolute(std::string_view reference) const {
    return reference.empty() ? std::string() : resolve_reference(base_, reference);
  }

  // Null for an empty value.
  static void text(std::string& out, std::string_view name, std::string_view value) {
    json::append_json_string(out, name);
    out += ':';
    if (value.empty())
      out += "null";
    else
      json::append_json_string(out, value);
    out += ',';
  }

  void open_graph(std::string& out, const Findings& found) const {
    out += R"("open_graph":)";
    if (found.open_graph().empty()) {
      out += "null,";
      return;
    }
    char before = '{';
    for (const auto& [name, values] : found.open_graph()) {
      out += before;
      before = ',';
      json::append_json_string(out, name);
      out += ':';
      if (values.size() > 1) out += '[';
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) out += ',';
        const std::string url = is_open_graph_url(name) ? absolute(values[i]) : std::string();
        json::append_json_string(out, url.empty() ? values[i] : url);
      }
      if (values.size() > 1) out += ']';
    }
    out += "},";
  }

  // One JSON text, and no deeper than json_depth_max where it will stand.
  static bool is_json(const std::string& script) {
    json::JsonMachine alone(json::JsonMachine::Whitespace::any);
    if (alone.feed(script) != script.size() || !alone.complete()) return false;
    json::JsonMachine inside(json::JsonMachine::Whitespace::any);
    inside.feed(R"({"json_ld":[)");
    return inside.feed(script) == script.size();
  }

  // Scripts that are not JSON are left out. A list in all cases, because a page may have several.
  static void json_ld(std::string& out, const Findings& found) {
    out += R"("json_ld":)";
    char before = '[';
    for (const std::string& script : found.json_ld()) {
      if (!is_json(script)) continue;
      std::string small(script.size() + simdjson::SIMDJSON_PADDING, '\0');
      std::size_t size = 0;
      if (simdjson::minify(script.data(), script.size(), small.data(), size)) continue;
      out += before;
      before = ',';
      out.append(small, 0, size);
    }
    out += before == '[' ? "null" : "]";
  }

  std::string base_url_;
  std::string base_;
  HtmlDocument page_;
};

constexpr ParamSpec params[] = {base_url_param};
constexpr Example examples[] = {
    {.params = R"({"base_url":"https://shop.example/wheels"})",
     .input = "<html lang=en><title>Wheels</title><meta name=description content='All of them'>"
              "<link rel=icon href=/w.svg><meta property=og:image content=big.jpg>"
              "<script type=application/ld+json>{ \"@type\": \"Product\" }</script>",
     .output =
         R"({"title":"Wheels","description":"All of them","image":"https://shop.example/big.jpg",)"
         R"("url":null,"site_name":null,"type":null,"lang":"en",)"
         R"("icon":"https://shop.example/w.svg",)"
         R"("open_graph":{"image":"https://shop.example/big.jpg"},)"
         R"("json_ld":[{"@type":"Product"}]})"},
};

}  // namespace

extern const Op html_meta_op;
const Op html_meta_op{
    .name = "html.meta",
    .summary =
        "What a page says about itself: title, description, image, canonical URL, icon, "
        "OpenGraph, JSON-LD. Always the same fields, null where the page has none. A title and a "
        "description for sharing (og:, then twitter:) come before the page's own, which "
        "html.select gives.",
    .limits = html_limits,
    .examples = examples,
    .params = params,
    .input = html_types,
    .output = "application/json",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<MetaStep>(given);
    },
};

}  // namespace fetchmill::workers::ops
