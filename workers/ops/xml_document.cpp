#include "workers/ops/xml_document.hpp"

#include "config/ascii.hpp"
#include "workers/ops/charset.hpp"

#include <algorithm>
#include <limits>
#include <new>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/tree.h>
#include <libxml/xmlIO.h>
#include <libxml/xmlerror.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// Not XML_PARSE_HUGE: without it libxml2 bounds depth, names and texts.
constexpr int parse_options = XML_PARSE_NONET | XML_PARSE_COMPACT | XML_PARSE_BIG_LINES;

void ignore_error(void*, xmlErrorPtr) {}
void ignore_message(void*, const char*, ...) {}
xmlParserInputPtr load_nothing(const char*, const char*, xmlParserCtxtPtr) {
  return nullptr;
}

// Once a process. What libxml2 says outside of a parser would go to stderr.
void set_up_library() {
  static const bool done = [] {
    xmlInitParser();
    xmlSetGenericErrorFunc(nullptr, ignore_message);
    silence_xml();
    xmlSetExternalEntityLoader(load_nothing);
    return true;
  }();
  static_cast<void>(done);
}

// What one parse adds to a parser's state.
struct Watch {
  std::string failure;  // the first one
  std::size_t nodes = 0;
};

Watch& watch_of(void* context) {
  return *static_cast<Watch*>(static_cast<xmlParserCtxt*>(context)->_private);
}

std::string place(int line, int column) {
  return " at line " + std::to_string(line) + ", column " + std::to_string(column);
}

void stop(void* context, std::string failure) {
  auto* parser = static_cast<xmlParserCtxt*>(context);
  Watch& watch = watch_of(context);
  if (watch.failure.empty())
    watch.failure = std::move(failure) + place(parser->input->line, parser->input->col);
  xmlStopParser(parser);
}

// libxml2's words, or ours where its own advise the programmer.
std::string words_of(const xmlError& error) {
  if (std::string_view(error.message).find("XML_PARSE_HUGE") != std::string_view::npos) {
    if (std::string_view(error.message).find("depth") != std::string_view::npos)
      return "nested deeper than " + std::to_string(xml_depth_max) + " levels";
    return "a name, an attribute or a text is too long";
  }
  std::string words(trimmed(error.message));
  std::replace(words.begin(), words.end(), '\n', ' ');
  return words;
}

void note_error(void* context, xmlErrorPtr error) {
  Watch& watch = watch_of(context);
  if (error->level != XML_ERR_FATAL || !watch.failure.empty() || error->message == nullptr) return;
  watch.failure = words_of(*error) + place(error->line, error->int2);
}

void count_nodes(void* context, std::size_t nodes) {
  Watch& watch = watch_of(context);
  watch.nodes += nodes;
  if (watch.nodes > xml_nodes_max)
    stop(context, "more than " + std::to_string(xml_nodes_max) + " elements and attributes");
}

void start_element(void* context, const xmlChar* name, const xmlChar* prefix, const xmlChar* space,
                   int spaces, const xmlChar** space_list, int attributes, int defaulted,
                   const xmlChar** attribute_list) {
  count_nodes(context, 1 + static_cast<std::size_t>(spaces) + static_cast<std::size_t>(attributes));
  xmlSAX2StartElementNs(context, name, prefix, space, spaces, space_list, attributes, defaulted,
                        attribute_list);
}
void comment(void* context, const xmlChar* text) {
  count_nodes(context, 1);
  xmlSAX2Comment(context, text);
}
void instruction(void* context, const xmlChar* target, const xmlChar* text) {
  count_nodes(context, 1);
  xmlSAX2ProcessingInstruction(context, target, text);
}
void cdata(void* context, const xmlChar* text, int bytes) {
  count_nodes(context, 1);
  xmlSAX2CDataBlock(context, text, bytes);
}
void refuse_entity(void* context, const xmlChar* name, int, const xmlChar*, const xmlChar*,
                   xmlChar*) {
  stop(context, "the entity '" + std::string(as_view(name)) +
                    "' is declared, and entities are not expanded");
}
void refuse_unparsed_entity(void* context, const xmlChar* name, const xmlChar*, const xmlChar*,
                            const xmlChar*) {
  refuse_entity(context, name, 0, nullptr, nullptr, nullptr);
}

struct FreeParser {
  void operator()(xmlParserCtxt* parser) const { xmlFreeParserCtxt(parser); }
};

std::unique_ptr<xmlParserCtxt, FreeParser> make_parser(Watch& watch) {
  std::unique_ptr<xmlParserCtxt, FreeParser> parser(xmlNewParserCtxt());
  if (parser == nullptr) throw std::bad_alloc();
  parser->_private = &watch;
  xmlSAXHandler& sax = *parser->sax;
  sax.serror = note_error;
  sax.startElementNs = start_element;
  sax.comment = comment;
  sax.processingInstruction = instruction;
  sax.cdataBlock = cdata;
  sax.entityDecl = refuse_entity;
  sax.unparsedEntityDecl = refuse_unparsed_entity;
  return parser;
}

bool has_byte_order_mark(std::string_view bytes) {
  return bytes.starts_with("\xEF\xBB\xBF") || bytes.starts_with("\xFE\xFF") ||
         bytes.starts_with("\xFF\xFE");
}

std::string taken(xmlChar* text) {
  std::string copy(as_view(text));
  xmlFree(text);
  return copy;
}

}  // namespace

void preload_xml() {
  set_up_library();
}

void silence_xml() {
  xmlSetStructuredErrorFunc(nullptr, ignore_error);
}

Result<XmlDocument> parse_xml(const Input& input) {
  set_up_library();
  if (trimmed(input.bytes).empty()) return Error(ErrorCode::processing_failed, "not XML: empty");
  if (input.bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    return Error(ErrorCode::processing_failed, "XML of more than 2 GiB is not read");
  Watch watch;
  const auto parser = make_parser(watch);
  const std::string charset =
      has_byte_order_mark(input.bytes) ? "" : std::string(charset_parameter(input.media_type));
  XmlDocument document(
      xmlCtxtReadMemory(parser.get(), input.bytes.data(), static_cast<int>(input.bytes.size()),
                        nullptr, charset.empty() ? nullptr : charset.c_str(), parse_options));
  if (watch.failure.empty() && parser->wellFormed != 0 && document != nullptr) {
    // Nodes are written as UTF-8; without a name for it, libxml2 writes é as a reference.
    if (document->encoding == nullptr) document->encoding = xmlStrdup(as_xml("UTF-8"));
    return document;
  }
  if (parser->lastError.code == XML_ERR_NO_MEMORY) throw std::bad_alloc();
  if (watch.failure.empty()) watch.failure = "it cannot be read";
  return Error(ErrorCode::processing_failed, "not XML: " + watch.failure);
}

const xmlNode* element_from(const xmlNode* node) {
  while (node != nullptr && node->type != XML_ELEMENT_NODE) node = node->next;
  return node;
}

std::string attribute(const xmlNode* element, const char* name, const char* space) {
  const auto* wanted = reinterpret_cast<const xmlChar*>(name);
  return taken(space == nullptr
                   ? xmlGetNoNsProp(element, wanted)
                   : xmlGetNsProp(element, wanted, reinterpret_cast<const xmlChar*>(space)));
}

std::string text_of(const xmlNode* node) {
  return taken(xmlNodeGetContent(node));
}

std::string_view trimmed(std::string_view text) {
  return ascii::trimmed(text, " \t\r\n");
}

void append_xml(std::string& out, xmlNode* node) {
  if (node->type == XML_ATTRIBUTE_NODE || node->type == XML_NAMESPACE_DECL) {
    out += text_of(node);
    return;
  }
  if (node->type == XML_DOCUMENT_NODE) {
    for (xmlNode* child = node->children; child != nullptr; child = child->next)
      append_xml(out, child);
    return;
  }
  // No part of XPath's document, and libxml2 makes no copy of it.
  if (node->type == XML_DTD_NODE) return;
  // A copy carries the namespaces that ancestors declare.
  const std::unique_ptr<xmlNode, decltype(&xmlFreeNode)> copy(xmlDocCopyNode(node, node->doc, 1),
                                                              xmlFreeNode);
  const std::unique_ptr<xmlBuffer, decltype(&xmlBufferFree)> text(xmlBufferCreate(), xmlBufferFree);
  if (copy == nullptr || text == nullptr) throw std::bad_alloc();
  xmlNodeDump(text.get(), node->doc, copy.get(), 0, 0);
  out.append(as_view(xmlBufferContent(text.get())));
}

}  // namespace fetchmill::workers::ops
