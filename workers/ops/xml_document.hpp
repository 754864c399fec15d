// An XML document read by libxml2 as untrusted bytes must be: no network, no files, no DTD, no
// entities, bounded depth and size; and the small questions that ops ask of its nodes.
//
// Process: worker. Errors: processing_failed, with line and column.
// Trust: bytes from the internet. A declaration of an entity ends the reading, so nothing expands;
//   a DOCTYPE is passed over. libxml2 writes nothing to stderr.
#pragma once

#include "config/error.hpp"
#include "workers/ops/op.hpp"

#include <memory>
#include <string>
#include <string_view>

#include <libxml/tree.h>

namespace fetchmill::workers::ops {

// Elements, attributes, comments and the like. A node takes some 120 bytes, with the text behind it
// twice that: half of what a worker may use.
inline constexpr std::size_t xml_nodes_max = 1'000'000;
// What libxml2 itself allows. Recursion over a document is bounded by it.
inline constexpr std::size_t xml_depth_max = 256;

// What `limits` of the ops that read XML says.
inline constexpr std::string_view xml_limits =
    "Depth 256, 1,000,000 elements and attributes, 10 MB in one text; processing_failed names the "
    "place. Entity declarations are refused, DTDs are not read.";

struct FreeXmlDocument {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};
using XmlDocument = std::unique_ptr<xmlDoc, FreeXmlDocument>;

// Op::preload of the ops that use libxml2.
void preload_xml();
// Makes libxml2 report nothing outside of parsers, as it stands unless an op listens.
void silence_xml();

// The encoding is that of the byte order mark, else of the media type's charset, else of the XML
// declaration, else UTF-8. Strings of the document are UTF-8.
config::Result<XmlDocument> parse_xml(const Input& input);

inline std::string_view as_view(const xmlChar* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}
inline const xmlChar* as_xml(const std::string& text) {
  return reinterpret_cast<const xmlChar*>(text.c_str());
}

inline std::string_view local_name(const xmlNode* node) {
  return as_view(node->name);
}
// Empty: none.
inline std::string_view namespace_of(const xmlNode* node) {
  return node->ns == nullptr ? std::string_view() : as_view(node->ns->href);
}
// The element itself if it is one, else the next sibling that is, else null.
const xmlNode* element_from(const xmlNode* node);
inline const xmlNode* first_child(const xmlNode* node) {
  return element_from(node->children);
}
inline const xmlNode* next_element(const xmlNode* node) {
  return element_from(node->next);
}
// Empty when it is absent. Of a name in no namespace, unless one is given.
std::string attribute(const xmlNode* element, const char* name, const char* space = nullptr);
// All text inside, in document order.
std::string text_of(const xmlNode* node);
// Without XML's white space at both ends.
std::string_view trimmed(std::string_view text);
// Appends the node as XML with the namespaces it needs; of a document, all it holds; of an
// attribute its value.
void append_xml(std::string& out, xmlNode* node);

}  // namespace fetchmill::workers::ops
