#include "workers/ops/html_serialize.hpp"

#include "config/ascii.hpp"

namespace fetchmill::workers::ops {
namespace {

void append_escaped(std::string& out, std::string_view text, bool in_attribute) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '&') {
      out += "&amp;";
    } else if (text.substr(i, 2) == "\xc2\xa0") {
      out += "&nbsp;";
      ++i;
    } else if (in_attribute && c == '"') {
      out += "&quot;";
    } else if (!in_attribute && c == '<') {
      out += "&lt;";
    } else if (!in_attribute && c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
}

bool is_void(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_AREA:
    case GUMBO_TAG_BASE:
    case GUMBO_TAG_BASEFONT:
    case GUMBO_TAG_BGSOUND:
    case GUMBO_TAG_BR:
    case GUMBO_TAG_COL:
    case GUMBO_TAG_EMBED:
    case GUMBO_TAG_FRAME:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_IMG:
    case GUMBO_TAG_INPUT:
    case GUMBO_TAG_KEYGEN:
    case GUMBO_TAG_LINK:
    case GUMBO_TAG_META:
    case GUMBO_TAG_PARAM:
    case GUMBO_TAG_SOURCE:
    case GUMBO_TAG_TRACK:
    case GUMBO_TAG_WBR:
      return true;
    default:
      return false;
  }
}

// Text inside is written as it stands.
bool is_raw(const GumboNode& node) {
  switch (html_tag(node)) {
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_XMP:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_NOEMBED:
    case GUMBO_TAG_NOFRAMES:
    case GUMBO_TAG_PLAINTEXT:
      return true;
    default:
      return false;
  }
}

// SVG has names with capitals, which the standard restores.
std::string name_of(const GumboNode& element) {
  const GumboElement& e = element.v.element;
  if (e.tag_namespace == GUMBO_NAMESPACE_SVG) {
    GumboStringPiece name = e.original_tag;
    gumbo_tag_from_original_text(&name);
    if (const char* restored = name.data == nullptr ? nullptr : gumbo_normalize_svg_tagname(&name))
      return restored;
  }
  return ascii::to_lower(tag_name(element));
}

void append_attribute(std::string& out, const GumboAttribute& attribute) {
  out += ' ';
  const std::string_view name = attribute.name;
  if (attribute.attr_namespace == GUMBO_ATTR_NAMESPACE_XLINK) out += "xlink:";
  if (attribute.attr_namespace == GUMBO_ATTR_NAMESPACE_XML) out += "xml:";
  if (attribute.attr_namespace == GUMBO_ATTR_NAMESPACE_XMLNS && name != "xmlns") out += "xmlns:";
  out += name;
  out += "=\"";
  append_escaped(out, attribute.value, true);
  out += '"';
}

}  // namespace

void append_outer_html(const GumboNode& node, std::string& out) {
  if (is_text(node)) {
    const std::string_view text = node.v.text.text;
    if (node.parent != nullptr && is_raw(*node.parent))
      out += text;
    else
      append_escaped(out, text, false);
    return;
  }
  if (node.type == GUMBO_NODE_COMMENT) {
    out += "<!--";
    out += node.v.text.text;
    out += "-->";
    return;
  }
  if (!is_element(node)) return append_inner_html(node, out);
  const std::string name = name_of(node);
  out += '<' + name;
  const GumboVector& attributes = node.v.element.attributes;
  for (unsigned i = 0; i < attributes.length; ++i)
    append_attribute(out, *static_cast<const GumboAttribute*>(attributes.data[i]));
  out += '>';
  if (is_void(html_tag(node))) return;
  append_inner_html(node, out);
  out += "</" + name + '>';
}

void append_inner_html(const GumboNode& element, std::string& out) {
  for (const GumboNode* child : children(element)) append_outer_html(*child, out);
}

}  // namespace fetchmill::workers::ops
