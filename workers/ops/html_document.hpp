// A page as a tree, and what ops ask of its nodes.
//
// The parser is gumbo, in an arena of our own: freeing is not recursive and memory is bounded.
// Encoding: byte order mark, Content-Type, <meta>; else UTF-8 where the bytes are, else
// windows-1252.
// Lifetime: nodes and views live until the next parse. A page that was not decoded is read in
// place. Errors: processing_failed when a limit is passed, result_too_large when the text is too
// long. Trust: the bytes are hostile. Walks may recurse: the tree is at most html_tree_depth_max
// deep.
#pragma once

#include "config/error.hpp"
#include "workers/ops/op.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <gumbo.h>

namespace fetchmill::workers::ops {

inline constexpr std::size_t html_text_bytes_max = 64UL << 20U;
inline constexpr std::size_t html_tree_bytes_max = 256UL << 20U;
inline constexpr std::size_t html_tree_depth_max = 1024;
// What a page can multiply stops here: text by fields that are told of each element, a long base by
// short references. A string takes twice its size while it grows, and the tree is there besides.
inline constexpr std::size_t html_result_bytes_max = 64UL << 20U;

// The bounds above, in words, for Op::limits.
inline constexpr std::string_view html_limits =
    "64 MiB of text, 256 MiB of tree, elements nested 512 deep, 256 attributes a tag, and "
    "32,000,000 "
    "elements open over all tags: beyond them processing_failed. Results of html.links, "
    "html.markdown and html.select of more than 64 MiB end in result_too_large.";

class HtmlArena;

class HtmlDocument {
 public:
  HtmlDocument();
  ~HtmlDocument();
  config::Result<void> parse(const Input& input);
  void clear();
  const GumboNode& document() const { return *output_->document; }
  const GumboNode& root() const { return *output_->root; }  // <html>

 private:
  std::unique_ptr<HtmlArena> arena_;
  std::string text_;
  const GumboOutput* output_ = nullptr;
};

// The encoding of a page's bytes, and how long its byte order mark is.
struct HtmlEncoding {
  const struct Charset* charset;
  std::size_t mark_bytes;
};
HtmlEncoding html_encoding(std::string_view bytes, std::string_view media_type);

inline bool is_element(const GumboNode& node) {
  return node.type == GUMBO_NODE_ELEMENT || node.type == GUMBO_NODE_TEMPLATE;
}
inline bool is_text(const GumboNode& node) {
  return node.type == GUMBO_NODE_TEXT || node.type == GUMBO_NODE_WHITESPACE ||
         node.type == GUMBO_NODE_CDATA;
}
// Of an element or the document.
std::span<const GumboNode* const> children(const GumboNode& node);
// GUMBO_TAG_UNKNOWN for elements of SVG and MathML too.
GumboTag html_tag(const GumboNode& node);
// As written, or in lower case where the parser knows the name.
std::string_view tag_name(const GumboNode& element);
std::optional<std::string_view> attribute(const GumboNode& element, const char* name);
// The attribute's value, or nothing where it is missing.
std::string_view attribute_or_empty(const GumboNode& element, const char* name);
// The text of all nodes inside, as it stands.
void append_text_content(const GumboNode& node, std::string& out);
// Runs of white space become one space, outer ones nothing.
std::string collapsed(std::string_view text);

// Calls visit(element) for `node` and all elements inside it in document order, not inside
// templates.
template <class Visit>
void for_each_element(const GumboNode& node, Visit& visit) {
  if (is_element(node)) visit(node);
  if (node.type == GUMBO_NODE_TEMPLATE) return;
  for (const GumboNode* child : children(node)) for_each_element(*child, visit);
}

}  // namespace fetchmill::workers::ops
