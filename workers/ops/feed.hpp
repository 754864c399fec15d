// A feed of any kind in one shape: RSS 0.9x to 2.0, RSS 0.90 and 1.0 (RDF), Atom 0.3 and 1.0.
//
// Texts are trimmed, and empty where the feed says nothing; dates are RFC 3339 in UTC, empty where
// they cannot be read. Links are absolute, against xml:base or the given base, where there is one.
// Process: worker. Trust: a document from the internet; what it leaves out or repeats is no error.
#pragma once

#include "config/error.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <libxml/tree.h>

namespace fetchmill::workers::ops {

struct FeedEnclosure {
  std::string url;
  std::string media_type;
  std::string bytes;  // digits
};

struct FeedItem {
  std::string id;  // what the feed identifies it by, else its URL
  std::string title;
  std::string url;
  std::string published;
  std::string updated;
  std::string author;   // several: with ", " between
  std::string summary;  // both perhaps HTML
  std::string content;
  std::vector<std::string> categories;
  std::vector<FeedEnclosure> enclosures;
};

struct Feed {
  std::string_view format;  // "rss", "rdf" or "atom"
  std::string title;
  std::string link;  // of the site, not of the feed
  std::string description;
  std::string language;
  std::string updated;
  std::string image;
  std::vector<FeedItem> items;
};

// Errors: processing_failed, for a document that is no feed.
config::Result<Feed> read_feed(const xmlDoc& document, std::string_view base_url);

// `link` against `base`; as it is when it is absolute, or `base` cannot be one.
std::string absolute_link(std::string_view link, const std::string& base);

}  // namespace fetchmill::workers::ops
