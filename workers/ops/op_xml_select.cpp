// xml.select: what an XPath 1.0 expression finds in an XML document.
#include "config/ascii.hpp"
#include "config/printable.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/op.hpp"
#include "workers/ops/xml_document.hpp"

#include <algorithm>
#include <cmath>
#include <new>

#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// Each visit of a node is an operation: enough for several passes over a document. What libxml2
// spends on joining the nodes that overlapping steps and unions find it does not count; that ends
// in processing_timeout.
constexpr unsigned long operations_min = 1'000'000;
constexpr unsigned long operations_per_byte = 2;

constexpr std::size_t name_bytes_max = 60;  // in a message

struct FreeXPath {
  void operator()(xmlXPathContext* context) const { xmlXPathFreeContext(context); }
  void operator()(xmlXPathCompExpr* expression) const { xmlXPathFreeCompExpr(expression); }
  void operator()(xmlXPathObject* object) const { xmlXPathFreeObject(object); }
};
template <class T>
using Owned = std::unique_ptr<T, FreeXPath>;

// The first fault that libxml2 reports while this lives, in its words. They reach only the handler
// of the thread: a context's own gets none.
class XPathFault {
 public:
  XPathFault() { xmlSetStructuredErrorFunc(this, note); }
  ~XPathFault() { silence_xml(); }
  XPathFault(const XPathFault&) = delete;
  XPathFault& operator=(const XPathFault&) = delete;

  // Also says which function or variable it is that `context` does not know.
  void name_unknown(xmlXPathContext& context) {
    xmlXPathRegisterFuncLookup(
        &context,
        [](void* self, const xmlChar* name, const xmlChar*) -> xmlXPathFunction {
          static_cast<XPathFault*>(self)->looked_up_ = as_view(name);
          return nullptr;  // go on looking
        },
        this);
    xmlXPathRegisterVariableLookup(
        &context,
        [](void* self, const xmlChar* name, const xmlChar*) -> xmlXPathObjectPtr {
          static_cast<XPathFault*>(self)->looked_up_ = as_view(name);
          return nullptr;
        },
        this);
  }

  const std::string& words() const { return words_; }
  bool is(int code) const { return code_ == XML_XPATH_EXPRESSION_OK + code; }
  // "Invalid predicate at character 7": where in the expression.
  std::string in(std::string_view expression) const {
    const auto before = expression.substr(0, static_cast<std::size_t>(std::max(byte_, 0)));
    const auto characters = std::count_if(before.begin(), before.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    });
    return words_ + " at character " + std::to_string(characters + 1);
  }

 private:
  static void note(void* self, xmlErrorPtr error) {
    auto& fault = *static_cast<XPathFault*>(self);
    if (fault.code_ != 0 || error->message == nullptr) return;
    fault.code_ = error->code;
    fault.words_ = trimmed(error->message);
    fault.byte_ = error->int1;
    if (fault.is(XPATH_UNKNOWN_FUNC_ERROR) || fault.is(XPATH_UNDEF_VARIABLE_ERROR))
      fault.words_ += ": " + config::printable(fault.looked_up_, name_bytes_max);
  }

  std::string looked_up_;
  std::string words_;
  int code_ = 0;
  int byte_ = 0;
};

// A count as an integer, not as 4e+05.
void append_number(std::string& out, double number) {
  constexpr double integers_end = 9007199254740992;  // 2^53
  if (std::abs(number) < integers_end && number == std::trunc(number))
    json::append_json_number(out, static_cast<std::int64_t>(number));
  else
    json::append_json_number(out, number);
}

// Expressions that do not begin with "/" start at the document as well, the first of one.
Owned<xmlXPathContext> make_context(xmlDoc* document, const StringMap& namespaces) {
  Owned<xmlXPathContext> context(xmlXPathNewContext(document));
  if (context == nullptr) throw std::bad_alloc();
  context->node = reinterpret_cast<xmlNode*>(document);
  context->contextSize = 1;
  context->proximityPosition = 1;
  for (const auto& [prefix, uri] : namespaces)
    xmlXPathRegisterNs(context.get(), as_xml(prefix), as_xml(uri));
  return context;
}

class XPathStep final : public Step {
 public:
  XPathStep(Owned<xmlXPathCompExpr> expression, StringMap namespaces, bool as_text)
      : expression_(std::move(expression)), namespaces_(std::move(namespaces)), as_text_(as_text) {}

  Result<void> run(const Input& input, Output& output) override {
    const Result<XmlDocument> document = parse_xml(input);
    if (!document) return document.error();
    // Without it, sorting found nodes takes time with the square of their number.
    xmlXPathOrderDocElems(document->get());
    const auto context = make_context(document->get(), namespaces_);
    context->opLimit = std::max(
        operations_min, operations_per_byte * static_cast<unsigned long>(input.bytes.size()));
    XPathFault fault;
    fault.name_unknown(*context);
    const Owned<xmlXPathObject> found(xmlXPathCompiledEval(expression_.get(), context.get()));
    if (fault.is(XPATH_OP_LIMIT_EXCEEDED))
      return Error(ErrorCode::processing_failed, "the expression takes more than " +
                                                     std::to_string(context->opLimit) +
                                                     " operations on this document");
    if (found == nullptr) return Error(ErrorCode::processing_failed, fault.words());
    return write(*found, output);
  }

 private:
  Result<void> write(const xmlXPathObject& found, Output& output) const {
    switch (found.type) {
      case XPATH_BOOLEAN:
        output.bytes += found.boolval != 0 ? "true" : "false";
        return {};
      case XPATH_NUMBER:
        append_number(output.bytes, found.floatval);
        return {};
      case XPATH_STRING:
        json::append_json_string(output.bytes, as_view(found.stringval));
        return {};
      default:
        return write_nodes(found.nodesetval, output);
    }
  }

  Result<void> write_nodes(const xmlNodeSet* nodes, Output& output) const {
    output.bytes += '[';
    const int count = nodes == nullptr ? 0 : nodes->nodeNr;
    std::string text;
    for (int i = 0; i < count; ++i) {
      if (i > 0) output.bytes += ',';
      xmlNode* node = nodes->nodeTab[i];
      text.clear();
      if (as_text_)
        text = text_of(node);
      else
        append_xml(text, node);
      json::append_json_string(output.bytes, text);
      if (output.bytes.size() > step_output_bytes_max)
        return Error(ErrorCode::result_too_large, "node " + std::to_string(i + 1) + " of " +
                                                      std::to_string(count) +
                                                      " would make the result too large");
    }
    output.bytes += ']';
    return {};
  }

  Owned<xmlXPathCompExpr> expression_;
  StringMap namespaces_;
  bool as_text_;
};

Result<void> check_namespaces(const StringMap& namespaces) {
  for (const auto& [prefix, uri] : namespaces) {
    if (xmlValidateNCName(as_xml(prefix), 0) != 0)
      return Error(ErrorCode::invalid_request,
                   "\"" + prefix + "\" is no prefix: it must be a name without a colon",
                   "namespaces");
    if (uri.empty())
      return Error(ErrorCode::invalid_request, "the namespace of \"" + prefix + "\" is empty",
                   "namespaces");
  }
  return {};
}

bool is_name_byte(char c) {
  return ascii::is_alphanumeric(c) || c == '_' || c == '-' || c == '.' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// libxml2 says of a prefix only that it is unknown, and not before it meets it. In an expression
// that compiles, one colon outside of literals has a prefix before it.
Result<void> check_prefixes(std::string_view expression, const StringMap& namespaces) {
  for (std::size_t at = 0; at < expression.size(); ++at) {
    if (expression[at] == '"' || expression[at] == '\'') {
      at = std::min(expression.find(expression[at], at + 1), expression.size());
      continue;
    }
    if (expression[at] != ':') continue;
    if (expression.substr(at + 1, 1) == ":") {
      ++at;  // behind an axis
      continue;
    }
    std::size_t begin = at;
    while (begin > 0 && is_name_byte(expression[begin - 1])) --begin;
    const std::string_view prefix = expression.substr(begin, at - begin);
    const auto is_it = [prefix](const auto& known) { return known.first == prefix; };
    if (prefix.empty() || prefix == "xml" || std::ranges::any_of(namespaces, is_it)) continue;
    return Error(ErrorCode::invalid_request,
                 "the prefix \"" + config::printable(prefix, name_bytes_max) +
                     "\" is not among the namespaces",
                 "xpath");
  }
  return {};
}

// Also evaluates it over a document without content: an unknown function, or an argument of the
// wrong type, is mostly found out there.
Result<std::unique_ptr<Step>> compile(const Op&, const Params& given) {
  preload_xml();
  const auto& text = given.get<std::string>("xpath");
  StringMap namespaces;
  if (const ParamValue* map = given.find("namespaces")) namespaces = std::get<StringMap>(*map);
  if (auto good = check_namespaces(namespaces); !good) return good.error();

  const XmlDocument blank(xmlNewDoc(nullptr));
  if (blank == nullptr) throw std::bad_alloc();
  const auto context = make_context(blank.get(), namespaces);
  XPathFault fault;
  fault.name_unknown(*context);
  Owned<xmlXPathCompExpr> expression(xmlXPathCtxtCompile(context.get(), as_xml(text)));
  if (expression == nullptr) return Error(ErrorCode::invalid_request, fault.in(text), "xpath");
  if (auto good = check_prefixes(text, namespaces); !good) return good.error();
  context->opLimit = operations_min;
  const Owned<xmlXPathObject> tried(xmlXPathCompiledEval(expression.get(), context.get()));
  if (tried == nullptr) return Error(ErrorCode::invalid_request, fault.words(), "xpath");
  return std::make_unique<XPathStep>(std::move(expression), std::move(namespaces),
                                     given.get<std::string>("output") == "text");
}

constexpr std::string_view outputs[] = {"text", "xml"};
constexpr ParamSpec params[] = {
    {.name = "xpath",
     .required = true,
     .description =
         "An XPath 1.0 expression. Nodes give an array, in document order; a number, a "
         "boolean or a string itself. It starts at the document, with or without a leading \"/\". "
         "A name without a prefix is one in no namespace."},
    {.name = "namespaces",
     .types = string_map_type,
     .description = "The namespaces of the prefixes in the expression: prefix to URI. Prefixes "
                    "that only the document declares are unknown here."},
    {.name = "output",
     .default_json = "\"text\"",
     .values = outputs,
     .description = "What of each node: the text inside, or itself as XML."},
};
constexpr Example examples[] = {
    {.params = R"({"xpath":"//part[@no > 1]/name"})",
     .input =
         R"(<mill><part no="1"><name>axle</name></part><part no="2"><name>wheel</name></part></mill>)",
     .output = R"(["wheel"])"},
    {.params = R"({"xpath":"/m:mill/m:part","namespaces":{"m":"urn:mill"},"output":"xml"})",
     .input = R"(<mill xmlns="urn:mill"><part no="1"/></mill>)",
     .output = R"(["<part xmlns=\"urn:mill\" no=\"1\"/>"])"},
    {.params = R"_({"xpath":"count(//part)"})_",
     .input = "<mill><part/><part/></mill>",
     .output = "2"},
};
constexpr std::string_view input_types[] = {"application/xml", "text/xml"};

}  // namespace

extern const Op xml_select_op;
const Op xml_select_op{
    .name = "xml.select",
    .summary = "What an XPath 1.0 expression finds in an XML document.",
    .limits =
        "As feed.items; and 2 operations (visits of a node) per byte of the document, at least "
        "1,000,000.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .compile = compile,
    .preload = preload_xml,
};

}  // namespace fetchmill::workers::ops
