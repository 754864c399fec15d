// sitemap.urls: the URLs of a sitemap, or the sitemaps of a sitemap index.
#include "workers/json/json_write.hpp"
#include "workers/ops/feed_date.hpp"
#include "workers/ops/op.hpp"
#include "workers/ops/xml_document.hpp"

#include <charconv>
#include <system_error>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

struct Entry {
  std::string url;
  std::string modified;
  std::string change_frequency;
  std::string priority;  // as JSON
};

// A number between 0 and 1, as JSON; else null.
std::string priority_of(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end || !(value >= 0 && value <= 1)) return "null";
  std::string number;
  json::append_json_number(number, value);
  return number;
}

Entry read_entry(const xmlNode* element) {
  Entry entry{.url = {}, .modified = {}, .change_frequency = {}, .priority = "null"};
  const std::string_view space = namespace_of(element);
  for (const xmlNode* child = first_child(element); child != nullptr; child = next_element(child)) {
    // Images, videos and news have a loc of their own, in namespaces of theirs.
    if (namespace_of(child) != space) continue;
    const std::string text(trimmed(text_of(child)));
    if (local_name(child) == "loc") entry.url = text;
    if (local_name(child) == "lastmod") entry.modified = rfc3339_date(text);
    if (local_name(child) == "changefreq") entry.change_frequency = text;
    if (local_name(child) == "priority") entry.priority = priority_of(text);
  }
  return entry;
}

void append_text(std::string& out, std::string_view text) {
  if (text.empty())
    out += "null";
  else
    json::append_json_string(out, text);
}

void append_entry(std::string& out, const Entry& entry, bool is_page) {
  out += R"({"url":)";
  json::append_json_string(out, entry.url);
  out += R"(,"modified":)";
  append_text(out, entry.modified);
  if (is_page) {
    out += R"(,"change_frequency":)";
    append_text(out, entry.change_frequency);
    out += R"(,"priority":)" + entry.priority;
  }
  out += '}';
}

class SitemapStep final : public Step {
 public:
  Result<void> run(const Input& input, Output& output) override {
    const Result<XmlDocument> document = parse_xml(input);
    if (!document) return document.error();
    const xmlNode* root = element_from((*document)->children);
    const bool is_index = local_name(root) == "sitemapindex";
    if (!is_index && local_name(root) != "urlset")
      return Error(ErrorCode::processing_failed, "not a sitemap: <" +
                                                     std::string(local_name(root)) +
                                                     "> is not <urlset> or <sitemapindex>");
    const std::string_view wanted = is_index ? "sitemap" : "url";
    std::string list;
    for (const xmlNode* child = first_child(root); child != nullptr; child = next_element(child)) {
      if (local_name(child) != wanted) continue;
      const Entry entry = read_entry(child);
      if (entry.url.empty()) continue;
      if (!list.empty()) list += ',';
      append_entry(list, entry, !is_index);
    }
    output.bytes = R"({"urls":[)" + (is_index ? std::string() : list) + R"(],"sitemaps":[)" +
                   (is_index ? list : std::string()) + "]}";
    return {};
  }
};

constexpr Example examples[] = {
    {.input =
         R"(<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>https://mill.example/</loc>)"
         R"(<lastmod>2024-05-01</lastmod><changefreq>daily</changefreq><priority>0.8</priority></url></urlset>)",
     .output =
         R"({"urls":[{"url":"https://mill.example/","modified":"2024-05-01T00:00:00Z","change_frequency":"daily","priority":0.8}],"sitemaps":[]})"},
    {.input = R"(<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><sitemap>)"
              R"(<loc>https://mill.example/parts.xml</loc></sitemap></sitemapindex>)",
     .output =
         R"({"urls":[],"sitemaps":[{"url":"https://mill.example/parts.xml","modified":null}]})"},
};
constexpr std::string_view input_types[] = {"application/xml", "text/xml"};

}  // namespace

extern const Op sitemap_urls_op;
const Op sitemap_urls_op{
    .name = "sitemap.urls",
    .summary = "The URLs of a sitemap, or the sitemaps of a sitemap index.",
    .limits = xml_limits,
    .examples = examples,
    .input = input_types,
    .output = "application/json",
    .compile = compile_plain<SitemapStep>,
    .preload = preload_xml,
};

}  // namespace fetchmill::workers::ops
