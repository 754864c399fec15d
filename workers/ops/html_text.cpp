#include "workers/ops/html_text.hpp"

#include "config/ascii.hpp"
#include "workers/ops/html_flow.hpp"

namespace fetchmill::workers::ops {
namespace {

bool has_style(std::string_view style, std::string_view wanted) {
  std::string compact;
  for (const char c : style)
    if (c > ' ') compact += ascii::to_lower(c);
  return compact.find(wanted) != std::string::npos;
}

// Elements in which white space shows as it is written.
bool is_preformatted(const GumboNode& element) {
  switch (html_tag(element)) {
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_LISTING:
    case GUMBO_TAG_XMP:
    case GUMBO_TAG_PLAINTEXT:
      return true;
    default:
      return false;
  }
}

class TextWalk {
 public:
  TextWalk(std::string& out, bool without_boilerplate)
      : flow_(out), without_boilerplate_(without_boilerplate) {}

  // What is inside an element. The tab before a cell and the lines around a block are its
  // parent's.
  void root(const GumboNode& node) {
    if (is_left_out(node)) return;
    for (const GumboNode* outer = node.parent; outer != nullptr && is_element(*outer);
         outer = outer->parent)
      preserved_ = preserved_ || is_preformatted(*outer);
    contents(node);
  }

 private:
  void node(const GumboNode& node) {
    if (is_text(node)) return text(node.v.text.text);
    if (is_element(node)) element(node);
  }

  bool is_left_out(const GumboNode& node) const {
    return is_hidden(node) || (without_boilerplate_ && is_boilerplate(node));
  }

  void inside(const GumboNode& parent) {
    for (const GumboNode* child : children(parent)) node(*child);
  }

  void element(const GumboNode& node) {
    if (is_left_out(node)) return;
    const GumboTag tag = html_tag(node);
    if (tag == GUMBO_TAG_BR) return flow_.line_break();
    if (tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH) return cell(node);
    const unsigned lines = tag == GUMBO_TAG_P ? 2 : is_block(node) ? 1 : 0;
    if (lines > 0) flow_.require_lines(lines);
    contents(node);
    if (lines > 0) flow_.require_lines(lines);
  }

  void contents(const GumboNode& node) {
    const bool preserved = preserved_;
    preserved_ = preserved_ || is_preformatted(node);
    inside(node);
    preserved_ = preserved;
  }

  // Cells of a row stand on one line, a tab between them.
  void cell(const GumboNode& node) {
    const GumboNode* before = nullptr;
    for (const GumboNode* child : children(*node.parent)) {
      if (child == &node) break;
      if (is_element(*child)) {
        before = child;
        break;
      }
    }
    if (before != nullptr) flow_.put("\t");
    inside(node);
  }

  void text(std::string_view text) {
    if (preserved_) {
      while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (end > 0) flow_.put(text.substr(0, end));
        if (end < text.size()) flow_.line_break();
        text.remove_prefix(std::min(end + 1, text.size()));
      }
      return;
    }
    while (!text.empty()) {
      const std::size_t start = std::min(text.find_first_not_of(ascii::whitespace), text.size());
      if (start > 0) flow_.space();
      text.remove_prefix(start);
      const std::size_t end = std::min(text.find_first_of(ascii::whitespace), text.size());
      if (end > 0) flow_.put(text.substr(0, end));
      text.remove_prefix(end);
    }
  }

  HtmlFlow flow_;
  bool without_boilerplate_;
  bool preserved_ = false;
};

}  // namespace

bool is_hidden(const GumboNode& element) {
  switch (html_tag(element)) {
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_NOEMBED:
    case GUMBO_TAG_NOFRAMES:
    case GUMBO_TAG_TITLE:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_VIDEO:
    case GUMBO_TAG_CANVAS:
    case GUMBO_TAG_DATALIST:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_SELECT:
      return true;
    default:
      break;
  }
  if (element.v.element.tag_namespace != GUMBO_NAMESPACE_HTML) {
    const std::string_view name = tag_name(element);
    if (name == "script" || name == "style" || name == "title" || name == "desc") return true;
  }
  if (attribute(element, "hidden")) return true;
  return has_style(attribute_or_empty(element, "style"), "display:none");
}

bool is_block(const GumboNode& element) {
  switch (html_tag(element)) {
    case GUMBO_TAG_HTML:
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_DIR:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_HGROUP:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_LEGEND:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_LISTING:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_MENU:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_P:
    case GUMBO_TAG_PLAINTEXT:
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_TBODY:
    case GUMBO_TAG_TFOOT:
    case GUMBO_TAG_THEAD:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_UL:
    case GUMBO_TAG_XMP:
      return true;
    default:
      return false;
  }
}

void append_inner_text(const GumboNode& element, std::string& out, bool without_boilerplate) {
  std::string text;
  TextWalk(text, without_boilerplate).root(element);
  out += text;
}

}  // namespace fetchmill::workers::ops
