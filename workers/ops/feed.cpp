#include "workers/ops/feed.hpp"

#include "workers/ops/feed_date.hpp"
#include "workers/ops/xml_document.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>

#include <libxml/uri.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// Longer ones are left as they are: dot segments take time with the square of a link's length.
constexpr std::size_t link_bytes_max = 2048;
// Among so many a repeated enclosure is found.
constexpr std::ptrdiff_t enclosures_compared_max = 100;

constexpr const char* xml_space = "http://www.w3.org/XML/1998/namespace";
constexpr std::string_view xhtml_space = "http://www.w3.org/1999/xhtml";
constexpr const char* rdf_space = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

// What an element belongs to. `core`: the feed's own format.
enum class Vocabulary : std::uint8_t {
  core,
  atom,
  dublin_core,
  dublin_terms,
  content,
  media,
  other
};

struct KnownSpace {
  std::string_view uri;
  Vocabulary vocabulary;
};
constexpr KnownSpace known_spaces[] = {
    {"http://www.w3.org/2005/Atom", Vocabulary::atom},
    {"http://purl.org/atom/ns#", Vocabulary::atom},
    {"http://purl.org/dc/elements/1.1/", Vocabulary::dublin_core},
    {"http://purl.org/dc/terms/", Vocabulary::dublin_terms},
    {"http://purl.org/rss/1.0/modules/content/", Vocabulary::content},
    {"http://search.yahoo.com/mrss/", Vocabulary::media},
};

Vocabulary vocabulary_of(std::string_view space, std::string_view core) {
  if (space == core || space.empty()) return Vocabulary::core;
  const auto* known = std::ranges::find(known_spaces, space, &KnownSpace::uri);
  return known == std::end(known_spaces) ? Vocabulary::other : known->vocabulary;
}

bool has_scheme(std::string_view link) {
  const std::size_t colon = link.find(':');
  return colon != std::string_view::npos && colon > 0 && link.find_first_of("/?#") > colon;
}

std::string owned(xmlChar* text) {
  const std::unique_ptr<xmlChar, decltype(xmlFree)> holder(text, xmlFree);
  return std::string(as_view(text));
}

// The base inside of an element. One with dot segments, which every link would have to remove, is
// none.
std::string base_of(const xmlNode* element, const std::string& outer) {
  const std::string own = attribute(element, "base", xml_space);
  if (own.empty()) return outer;
  std::string base = absolute_link(own, outer);
  return base.find("/.") == std::string::npos ? base : outer;
}

std::string text(const xmlNode* element) {
  return std::string(trimmed(text_of(element)));
}
void set(std::string& field, std::string value) {
  if (field.empty()) field = std::move(value);
}
std::string link(const xmlNode* element, std::string_view target, const std::string& base) {
  return absolute_link(target, base_of(element, base));
}

void add_category(FeedItem& item, std::string name) {
  if (!name.empty()) item.categories.push_back(std::move(name));
}
void add_name(std::string& names, const std::string& name) {
  if (name.empty()) return;
  if (!names.empty()) names += ", ";
  names += name;
}
void add_enclosure(FeedItem& item, const xmlNode* element, const char* target, const char* size,
                   const std::string& base) {
  FeedEnclosure enclosure{.url = link(element, trimmed(attribute(element, target)), base),
                          .media_type = attribute(element, "type"),
                          .bytes = attribute(element, size)};
  if (enclosure.url.empty()) return;
  const bool is_number = enclosure.bytes.size() <= 15 &&
                         enclosure.bytes.find_first_not_of("0123456789") == std::string::npos;
  if (!is_number) enclosure.bytes.clear();
  const auto compared = std::min(std::ssize(item.enclosures), enclosures_compared_max);
  if (std::ranges::none_of(item.enclosures.begin(), item.enclosures.begin() + compared,
                           [&](const FeedEnclosure& other) { return other.url == enclosure.url; }))
    item.enclosures.push_back(std::move(enclosure));
}

// ---- Atom

// So that XHTML reads as HTML: without prefixes and declarations.
void leave_xhtml_space(xmlNode* node) {
  if (node->type != XML_ELEMENT_NODE) return;
  if (namespace_of(node) == xhtml_space) node->ns = nullptr;
  for (xmlNode* child = node->children; child != nullptr; child = child->next)
    leave_xhtml_space(child);
}

// XHTML and other XML as it stands, anything else as its text. XHTML stands in a div, which is no
// part of it (RFC 4287, 3.1.1.3 and 4.1.3.3).
std::string atom_text(const xmlNode* element) {
  const std::string type = attribute(element, "type");
  if (type != "xhtml" && !type.ends_with("/xml") && !type.ends_with("+xml")) return text(element);
  xmlNode* child = element->children;
  const xmlNode* only = first_child(element);
  if (type == "xhtml" && only != nullptr && local_name(only) == "div" &&
      next_element(only) == nullptr)
    child = only->children;
  std::string markup;
  for (; child != nullptr; child = child->next) {
    if (type == "xhtml") leave_xhtml_space(child);
    append_xml(markup, child);
  }
  return std::string(trimmed(markup));
}

std::string atom_person(const xmlNode* person) {
  std::string name;
  std::string address;
  for (const xmlNode* child = first_child(person); child != nullptr; child = next_element(child)) {
    if (local_name(child) == "name") set(name, text(child));
    if (local_name(child) == "email") set(address, text(child));
  }
  return name.empty() ? address : name;
}

std::string atom_relation(const xmlNode* element) {
  const std::string relation = attribute(element, "rel");
  return relation.empty() ? "alternate" : relation;
}

void read_atom_link(FeedItem& item, const xmlNode* element, const std::string& base) {
  const std::string relation = atom_relation(element);
  if (relation == "alternate")
    set(item.url, link(element, trimmed(attribute(element, "href")), base));
  if (relation == "enclosure") add_enclosure(item, element, "href", "length", base);
}

void read_atom_entry(FeedItem& item, const xmlNode* element, const std::string& base) {
  const std::string_view name = local_name(element);
  if (name == "id") set(item.id, text(element));
  if (name == "title") set(item.title, text(element));
  if (name == "link") read_atom_link(item, element, base);
  if (name == "published" || name == "issued") set(item.published, rfc3339_date(text(element)));
  if (name == "updated" || name == "modified") set(item.updated, rfc3339_date(text(element)));
  if (name == "author") add_name(item.author, atom_person(element));
  if (name == "summary") set(item.summary, atom_text(element));
  if (name == "content") set(item.content, atom_text(element));
  if (name == "category") {
    const std::string label = attribute(element, "label");
    add_category(item, label.empty() ? attribute(element, "term") : label);
  }
}

void read_atom_feed(Feed& feed, const xmlNode* element, const std::string& base) {
  const std::string_view name = local_name(element);
  if (name == "title") set(feed.title, text(element));
  if (name == "subtitle" || name == "tagline") set(feed.description, text(element));
  if (name == "updated" || name == "modified") set(feed.updated, rfc3339_date(text(element)));
  if (name == "logo" || name == "icon") set(feed.image, link(element, text(element), base));
  if (name == "link" && atom_relation(element) == "alternate")
    set(feed.link, link(element, trimmed(attribute(element, "href")), base));
}

// ---- RSS, also as RDF

void read_rss_item(FeedItem& item, const xmlNode* element, const std::string& base) {
  const std::string_view name = local_name(element);
  if (name == "title") set(item.title, text(element));
  if (name == "link") set(item.url, link(element, text(element), base));
  if (name == "description") set(item.summary, text(element));
  if (name == "pubDate") set(item.published, rfc3339_date(text(element)));
  if (name == "author") add_name(item.author, text(element));
  if (name == "category") add_category(item, text(element));
  if (name == "guid") set(item.id, text(element));
  if (name == "enclosure") add_enclosure(item, element, "url", "length", base);
}

void read_media(FeedItem& item, const xmlNode* element, const std::string& base) {
  if (local_name(element) == "content") add_enclosure(item, element, "url", "fileSize", base);
  if (local_name(element) != "group") return;
  for (const xmlNode* child = first_child(element); child != nullptr; child = next_element(child))
    if (local_name(child) == "content") add_enclosure(item, child, "url", "fileSize", base);
}

void read_dublin_core(FeedItem& item, const xmlNode* element) {
  const std::string_view name = local_name(element);
  if (name == "title") set(item.title, text(element));
  if (name == "description") set(item.summary, text(element));
  if (name == "date") set(item.published, rfc3339_date(text(element)));
  if (name == "subject") add_category(item, text(element));
}

// A guid is the item's link unless it says that it is none.
std::string permanent_link(const xmlNode* element) {
  if (local_name(element) != "guid" || attribute(element, "isPermaLink") == "false") return {};
  std::string target = text(element);
  return target.starts_with("http://") || target.starts_with("https://") ? target : std::string();
}

void read_rss_channel(Feed& feed, const xmlNode* element, const std::string& base) {
  const std::string_view name = local_name(element);
  if (name == "title") set(feed.title, text(element));
  if (name == "link") set(feed.link, link(element, text(element), base));
  if (name == "description") set(feed.description, text(element));
  if (name == "language") set(feed.language, text(element));
  if (name == "lastBuildDate") set(feed.updated, rfc3339_date(text(element)));
  if (name != "image") return;
  for (const xmlNode* child = first_child(element); child != nullptr; child = next_element(child))
    if (local_name(child) == "url") set(feed.image, link(child, text(child), base));
}

// ---- What they share

using ReadItem = void (*)(FeedItem&, const xmlNode*, const std::string&);

// The format's own elements first, whatever their place; modules fill in what they leave open.
FeedItem read_item(const xmlNode* element, std::string_view core, ReadItem read_core,
                   const std::string& outer_base) {
  FeedItem item;
  const std::string base = base_of(element, outer_base);
  std::string creators;
  std::string permanent;
  for (const bool modules : {false, true}) {
    for (const xmlNode* child = first_child(element); child != nullptr;
         child = next_element(child)) {
      const Vocabulary vocabulary = vocabulary_of(namespace_of(child), core);
      if ((vocabulary != Vocabulary::core) != modules) continue;
      if (!modules) set(permanent, permanent_link(child));
      const std::string_view name = local_name(child);
      if (vocabulary == Vocabulary::core) read_core(item, child, base);
      if (vocabulary == Vocabulary::atom) read_atom_entry(item, child, base);
      if (vocabulary == Vocabulary::media) read_media(item, child, base);
      if (vocabulary == Vocabulary::dublin_core) read_dublin_core(item, child);
      if (vocabulary == Vocabulary::dublin_core && name == "creator")
        add_name(creators, text(child));
      if (vocabulary == Vocabulary::dublin_terms && name == "modified")
        set(item.updated, rfc3339_date(text(child)));
      if (vocabulary == Vocabulary::content && name == "encoded") set(item.content, text(child));
    }
  }
  set(item.author, creators);
  set(item.url, permanent);
  set(item.id, attribute(element, "about", rdf_space));
  set(item.id, item.url);
  return item;
}

struct Format {
  std::string_view name;
  std::string_view item;
  void (*read_feed)(Feed&, const xmlNode*, const std::string&);
  ReadItem read_item;
};
constexpr Format rss{"rss", "item", read_rss_channel, read_rss_item};
constexpr Format rdf{"rdf", "item", read_rss_channel, read_rss_item};
constexpr Format atom{"atom", "entry", read_atom_feed, read_atom_entry};

// What modules, and less exact elements of the format, say of a feed.
void read_feed_module(Feed& feed, const xmlNode* element, Vocabulary vocabulary,
                      const std::string& base) {
  const std::string_view name = local_name(element);
  if (vocabulary == Vocabulary::core && name == "pubDate")
    set(feed.updated, rfc3339_date(text(element)));
  if (vocabulary == Vocabulary::atom) read_atom_feed(feed, element, base);
  if (vocabulary != Vocabulary::dublin_core) return;
  if (name == "title") set(feed.title, text(element));
  if (name == "description") set(feed.description, text(element));
  if (name == "language") set(feed.language, text(element));
  if (name == "date") set(feed.updated, rfc3339_date(text(element)));
}

// `head` holds what is said of the feed, `list` its items; in most formats they are the same.
Feed read(const Format& format, const xmlNode* head, const xmlNode* list,
          const std::string& outer_base) {
  Feed feed;
  feed.format = format.name;
  const std::string_view core = namespace_of(head);
  const std::string base = base_of(head, outer_base);
  std::string author;
  for (const xmlNode* child = first_child(head); child != nullptr; child = next_element(child)) {
    if (vocabulary_of(namespace_of(child), core) != Vocabulary::core) continue;
    format.read_feed(feed, child, base);
    if (format.name == "atom" && local_name(child) == "author") set(author, atom_person(child));
  }
  for (const xmlNode* child = first_child(head); child != nullptr; child = next_element(child))
    read_feed_module(feed, child, vocabulary_of(namespace_of(child), core), base);
  set(feed.language, attribute(head, "lang", xml_space));
  for (const xmlNode* child = first_child(list); child != nullptr; child = next_element(child)) {
    if (vocabulary_of(namespace_of(child), core) != Vocabulary::core) continue;
    // RDF has the image beside the channel.
    if (list != head && local_name(child) == "image") format.read_feed(feed, child, base);
    if (local_name(child) != format.item) continue;
    feed.items.push_back(read_item(child, core, format.read_item, base));
    set(feed.items.back().author, author);
  }
  return feed;
}

const xmlNode* channel_of(const xmlNode* root) {
  const xmlNode* child = first_child(root);
  while (child != nullptr && local_name(child) != "channel") child = next_element(child);
  return child;
}

}  // namespace

Result<Feed> read_feed(const xmlDoc& document, std::string_view base_url) {
  const xmlNode* root = element_from(document.children);
  const std::string_view name = local_name(root);
  const std::string base = base_of(root, std::string(base_url));
  if (name == "feed") return read(atom, root, root, std::string(base_url));
  const xmlNode* channel = channel_of(root);
  if (name == "rss" && channel != nullptr) return read(rss, channel, channel, base);
  if (name == "RDF" && namespace_of(root) == rdf_space && channel != nullptr)
    return read(rdf, channel, root, base);
  return Error(ErrorCode::processing_failed,
               "not a feed: <" + std::string(name) +
                   "> is not <feed>, nor <rss> or <rdf:RDF> with a <channel>");
}

std::string absolute_link(std::string_view link, const std::string& base) {
  link = trimmed(link);
  if (link.empty() || has_scheme(link) || base.empty() || link.size() > link_bytes_max ||
      base.size() > link_bytes_max)
    return std::string(link);
  // What a URI may not hold as it is, such as a space or an é.
  const std::string escaped = owned(xmlURIEscapeStr(
      as_xml(std::string(link)), reinterpret_cast<const xmlChar*>("%;/?:@&=+$,#[]!*'()")));
  std::string absolute = owned(xmlBuildURI(as_xml(escaped), as_xml(base)));
  return absolute.empty() ? std::string(link) : absolute;
}

}  // namespace fetchmill::workers::ops
