// feed.items: RSS, RDF and Atom in one JSON shape.
#include "workers/json/json_write.hpp"
#include "workers/ops/feed.hpp"
#include "workers/ops/op.hpp"
#include "workers/ops/url_reference.hpp"
#include "workers/ops/xml_document.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// Appends members of an object, with a comma before each but the first.
class Members {
 public:
  explicit Members(std::string& out) : out_(out) {}

  std::string& name(std::string_view name) {
    out_ += std::exchange(separator_, ',');
    json::append_json_string(out_, name);
    return out_ += ':';
  }
  // Empty is null.
  void text(std::string_view member, std::string_view value) {
    name(member);
    if (value.empty())
      out_ += "null";
    else
      json::append_json_string(out_, value);
  }
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  char separator_ = '{';
};

template <class List, class Write>
void append_list(std::string& out, const List& list, Write write) {
  out += '[';
  bool first = true;
  for (const auto& item : list) {
    if (!std::exchange(first, false)) out += ',';
    write(item);
  }
  out += ']';
}

void append_enclosure(std::string& out, const FeedEnclosure& enclosure) {
  Members members(out);
  members.text("url", enclosure.url);
  members.text("type", enclosure.media_type);
  members.name("length") += enclosure.bytes.empty() ? "null" : enclosure.bytes;
  members.end();
}

void append_item(std::string& out, const FeedItem& item) {
  Members members(out);
  members.text("id", item.id);
  members.text("title", item.title);
  members.text("url", item.url);
  members.text("published", item.published);
  members.text("updated", item.updated);
  members.text("author", item.author);
  members.text("summary", item.summary);
  members.text("content", item.content);
  append_list(members.name("categories"), item.categories,
              [&](const std::string& name) { json::append_json_string(out, name); });
  append_list(members.name("enclosures"), item.enclosures,
              [&](const FeedEnclosure& enclosure) { append_enclosure(out, enclosure); });
  members.end();
}

void append_feed(std::string& out, const Feed& feed) {
  Members members(out);
  members.text("format", feed.format);
  members.text("title", feed.title);
  members.text("link", feed.link);
  members.text("description", feed.description);
  members.text("language", feed.language);
  members.text("updated", feed.updated);
  members.text("image", feed.image);
  members.end();
}

class FeedStep final : public Step {
 public:
  explicit FeedStep(std::string base_url) : base_url_(std::move(base_url)) {}

  Result<void> run(const Input& input, Output& output) override {
    const Result<XmlDocument> document = parse_xml(input);
    if (!document) return document.error();
    const Result<Feed> feed =
        read_feed(**document, base_url_.empty() ? input.final_url : std::string_view(base_url_));
    if (!feed) return feed.error();
    Members members(output.bytes);
    append_feed(members.name("feed"), *feed);
    append_list(members.name("items"), feed->items,
                [&](const FeedItem& item) { append_item(output.bytes, item); });
    members.end();
    return {};
  }

 private:
  std::string base_url_;
};

constexpr ParamSpec params[] = {
    {.name = "base_url",
     .fault = base_url_fault,
     .description = "What relative links are relative to, where the feed has no xml:base; by "
                    "default the final "
                    "URL of the fetch. Without either they stay relative."},
};
constexpr Example examples[] = {
    {.params = R"({"base_url":"https://mill.example/feed"})",
     .input = R"(<rss version="2.0"><channel><title>Mill news</title><link>/</link><item>)"
              R"(<title>New wheel</title><link>/wheel</link><guid isPermaLink="false">7</guid>)"
              R"(<pubDate>Sat, 07 Sep 2002 09:00:01 +0200</pubDate><category>parts</category>)"
              R"(<description>It &lt;b&gt;turns&lt;/b&gt;.</description></item></channel></rss>)",
     .output =
         R"({"feed":{"format":"rss","title":"Mill news","link":"https://mill.example/","description":null,)"
         R"("language":null,"updated":null,"image":null},"items":[{"id":"7","title":"New wheel",)"
         R"("url":"https://mill.example/wheel","published":"2002-09-07T07:00:01Z","updated":null,)"
         R"("author":null,"summary":"It <b>turns</b>.","content":null,"categories":["parts"],"enclosures":[]}]})"},
};
constexpr std::string_view input_types[] = {"application/rss+xml", "application/atom+xml",
                                            "application/rdf+xml", "application/xml", "text/xml"};

}  // namespace

extern const Op feed_items_op;
const Op feed_items_op{
    .name = "feed.items",
    .summary = "The items of an RSS, RDF or Atom feed, all in one shape.",
    .limits = xml_limits,
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      const ParamValue* base_url = given.find("base_url");
      return std::make_unique<FeedStep>(base_url == nullptr ? std::string()
                                                            : std::get<std::string>(*base_url));
    },
    .preload = preload_xml,
};

}  // namespace fetchmill::workers::ops
