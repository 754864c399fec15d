#include "config/ascii.hpp"
#include "workers/ops/html_flow.hpp"
#include "workers/ops/html_text.hpp"
#include "workers/ops/url_reference.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace fetchmill::workers::ops {
namespace {

// What is outside of ASCII counts as letters.
bool is_alphanumeric(char c) {
  return ascii::is_alphanumeric(c) || static_cast<unsigned char>(c) >= 0x80;
}

// What Markdown would read as markup gets a backslash. `word` has no white space.
std::string escaped(std::string_view word, bool at_line_start) {
  std::string out;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    const char next = i + 1 < word.size() ? word[i + 1] : '\0';
    bool escape = std::string_view("\\`*[]~|").find(c) != std::string_view::npos;
    if (c == '<') escape = is_alphanumeric(next) || next == '/' || next == '!' || next == '?';
    if (c == '_') escape = i == 0 || !is_alphanumeric(word[i - 1]) || !is_alphanumeric(next);
    if (c == '&') escape = next == '#' || is_alphanumeric(next);
    if (at_line_start && i == 0)
      escape = escape || c == '#' || c == '+' || c == '-' || c == '=' || c == '>';
    if (at_line_start && (c == '.' || c == ')') && i > 0 && i < 10)
      escape = escape || std::ranges::all_of(word.substr(0, i), ascii::is_digit);
    if (escape) out += '\\';
    out += c;
  }
  return out;
}

// A URL as a link's destination: nothing in it can end the destination or begin markup.
std::string destination(std::string_view url) {
  std::string out;
  for (const char c : url) {
    if (c == '(' || c == ')' || c == '\\' || c == '*' || c == '_' || c == '[' || c == ']' ||
        c == '|' || c == '`' || c == '~')
      out += '\\';
    if (c == ' ' || c == '<' || c == '>' || static_cast<unsigned char>(c) < 0x20) {
      out += c == '<' ? "%3C" : c == '>' ? "%3E" : "%20";
      continue;
    }
    out += c;
  }
  return out;
}

// A run of backticks that does not stand in `text`, at least `least` long.
std::string fence(std::string_view text, std::size_t least) {
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    least = std::max(least, run + 1);
  }
  return std::string(least, '`');
}

unsigned heading_level(GumboTag tag) {
  return tag >= GUMBO_TAG_H1 && tag <= GUMBO_TAG_H6 ? static_cast<unsigned>(tag - GUMBO_TAG_H1) + 1
                                                    : 0;
}

bool contains(const GumboNode& node, bool (*wanted)(const GumboNode& element)) {
  return std::ranges::any_of(children(node), [&](const GumboNode* child) {
    return is_element(*child) && (wanted(*child) || contains(*child, wanted));
  });
}

class MarkdownWalk {
 public:
  MarkdownWalk(std::string& out, const HtmlWalk& walk) : flow_(out), walk_(walk) {}

  void node(const GumboNode& node) {
    if (is_full()) return;
    if (is_text(node)) return text(node.v.text.text);
    if (is_element(node)) return element(node);
    inside(node);
  }

 private:
  bool is_full() const { return flow_.size() > html_result_bytes_max; }

  void inside(const GumboNode& parent) {
    for (const GumboNode* child : children(parent)) node(*child);
  }

  // Headings, links and cells are one line: blocks inside them are only spaces apart.
  void one_line(const GumboNode& parent) {
    ++one_line_;
    inside(parent);
    --one_line_;
  }

  void element(const GumboNode& node) {
    if (is_hidden(node) || (walk_.main_content && is_boilerplate(node))) return;
    const GumboTag tag = html_tag(node);
    if (one_line_ == 0 && is_block(node)) return block(node, tag);
    if (is_block(node) || tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH) flow_.space();
    inline_element(node, tag);
    if (is_block(node) || tag == GUMBO_TAG_TD || tag == GUMBO_TAG_TH) flow_.space();
  }

  void inline_element(const GumboNode& node, GumboTag tag) {
    switch (tag) {
      case GUMBO_TAG_BR:
        return line_end();
      case GUMBO_TAG_IMG:
        return image(node);
      case GUMBO_TAG_A:
        return link(node);
      case GUMBO_TAG_B:
      case GUMBO_TAG_STRONG:
        return emphasis(node, "**");
      case GUMBO_TAG_I:
      case GUMBO_TAG_EM:
        return emphasis(node, "*");
      case GUMBO_TAG_S:
      case GUMBO_TAG_STRIKE:
      case GUMBO_TAG_DEL:
        return emphasis(node, "~~");
      case GUMBO_TAG_CODE:
      case GUMBO_TAG_KBD:
      case GUMBO_TAG_SAMP:
      case GUMBO_TAG_TT:
        return code(node);
      default:
        return inside(node);
    }
  }

  void block(const GumboNode& node, GumboTag tag) {
    if (tag == GUMBO_TAG_LI) return item(node);
    if (tag == GUMBO_TAG_TABLE && is_grid(node)) return table(node);
    const bool is_list =
        tag == GUMBO_TAG_UL || tag == GUMBO_TAG_OL || tag == GUMBO_TAG_MENU || tag == GUMBO_TAG_DIR;
    const unsigned lines = is_list && in_item_ ? 1 : 2;
    flow_.require_lines(lines);
    if (const unsigned level = heading_level(tag); level > 0) {
      heading(node, level);
    } else if (tag == GUMBO_TAG_HR) {
      flow_.put("---");
    } else if (tag == GUMBO_TAG_PRE || tag == GUMBO_TAG_LISTING || tag == GUMBO_TAG_XMP) {
      preformatted(node);
    } else if (tag == GUMBO_TAG_BLOCKQUOTE) {
      flow_.begin_prefix("> ");
      inside(node);
      flow_.end_prefix(2);
    } else if (is_list) {
      list(node, tag);
    } else {
      inside(node);
    }
    flow_.require_lines(lines);
  }

  void heading(const GumboNode& node, unsigned level) {
    const std::string mark = std::string(level, '#') + ' ';
    flow_.open(mark);
    one_line(node);
    flow_.close(mark, "");
  }

  void list(const GumboNode& node, GumboTag tag) {
    const std::int64_t outer_number = number_;
    const bool outer_ordered = ordered_;
    ordered_ = tag == GUMBO_TAG_OL;
    number_ = 1;
    const std::string_view start = attribute_or_empty(node, "start");
    std::from_chars(start.data(), start.data() + start.size(), number_);
    number_ = std::clamp<std::int64_t>(number_, 0, 99'999'999);
    inside(node);
    number_ = outer_number;
    ordered_ = outer_ordered;
  }

  void item(const GumboNode& node) {
    const std::string marker = ordered_ ? std::to_string(number_++) + ". " : "- ";
    flow_.require_lines(1);
    flow_.begin_item(marker);
    const bool outer = in_item_;
    in_item_ = true;
    inside(node);
    in_item_ = outer;
    flow_.end_item(marker.size());
    flow_.require_lines(1);
  }

  void preformatted(const GumboNode& node) {
    std::string content;
    append_text_content(node, content);
    if (content.ends_with('\n')) content.pop_back();
    const std::string marks = fence(content, 3);
    flow_.put(marks + language(node));
    // Every line has the prefix of all blocks around it.
    for (std::string_view rest = content; !is_full();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      flow_.line_break();
      if (end > 0) flow_.put(rest.substr(0, end));
      if (end == rest.size()) break;
      rest.remove_prefix(end + 1);
    }
    flow_.line_break();
    flow_.put(marks);
  }

  // "language-NAME" of the element or of the code inside.
  static std::string language(const GumboNode& node) {
    std::string_view classes = attribute_or_empty(node, "class");
    for (const GumboNode* child : children(node))
      if (html_tag(*child) == GUMBO_TAG_CODE && classes.empty())
        classes = attribute_or_empty(*child, "class");
    constexpr std::string_view mark = "language-";
    const std::size_t at = classes.find(mark);
    if (at == std::string_view::npos) return {};
    std::string name;
    for (const char c : classes.substr(at + mark.size())) {
      if (!is_alphanumeric(c) && c != '-' && c != '+' && c != '#') break;
      name += c;
    }
    return name;
  }

  void emphasis(const GumboNode& node, std::string_view mark) {
    // Marks do not reach over paragraphs, and do not nest in themselves.
    if (std::ranges::find(marks_, mark) != marks_.end() || contains(node, is_block))
      return inside(node);
    marks_.push_back(mark);
    flow_.open(mark);
    inside(node);
    flow_.close(mark, mark);
    marks_.pop_back();
  }

  void code(const GumboNode& node) {
    std::string content;
    append_text_content(node, content);
    const bool space_before = !content.empty() && ascii::is_whitespace(content.front());
    content = collapsed(content);
    if (content.empty()) return;
    if (space_before) flow_.space();
    const std::string marks = fence(content, 1);
    const std::string_view pad = content.front() == '`' || content.back() == '`' ? " " : "";
    std::string shown;
    for (const char c : content) {
      if (c == '|' && in_table_) shown += '\\';  // GFM splits cells before it reads code
      shown += c;
    }
    flow_.put(marks + std::string(pad) + shown + std::string(pad) + marks);
  }

  std::string absolute(std::string_view reference) const {
    if (walk_.base_url.empty()) return std::string(ascii::trimmed(reference));
    return resolve_reference(walk_.base_url, reference);
  }

  void link(const GumboNode& node) {
    const auto reference = attribute(node, "href");
    std::string url = reference ? absolute(*reference) : std::string();
    const bool runs =
        ascii::equals_ignoring_case(std::string_view(url).substr(0, 11), "javascript:");
    if (url.empty() || runs || in_link_) return one_line_ > 0 ? one_line(node) : inside(node);
    in_link_ = true;
    flow_.open("[");
    one_line(node);
    flow_.close("[", "](" + destination(url) + ")");
    in_link_ = false;
  }

  void image(const GumboNode& node) {
    const std::string_view reference = attribute_or_empty(node, "src");
    const std::string url = absolute(reference);
    if (reference.empty() || url.empty() ||
        ascii::equals_ignoring_case(std::string_view(url).substr(0, 5), "data:"))
      return;
    flow_.put("![" + escaped(collapsed(attribute_or_empty(node, "alt")), false) + "](" +
              destination(url) + ")");
  }

  void line_end() {
    if (one_line_ > 0) return flow_.space();
    if (!flow_.at_line_start()) flow_.put_at_end("\\");
    flow_.line_break();
  }

  // A table that is not there for the layout: no tables or lists inside.
  static bool is_grid(const GumboNode& node) {
    return !contains(node, [](const GumboNode& element) {
      switch (html_tag(element)) {
        case GUMBO_TAG_TABLE:
        case GUMBO_TAG_UL:
        case GUMBO_TAG_OL:
        case GUMBO_TAG_PRE:
        case GUMBO_TAG_BLOCKQUOTE:
          return true;
        default:
          return heading_level(html_tag(element)) > 0;
      }
    });
  }

  static void find_rows(const GumboNode& node, std::vector<const GumboNode*>& rows) {
    for (const GumboNode* child : children(node)) {
      if (html_tag(*child) == GUMBO_TAG_TR)
        rows.push_back(child);
      else if (is_element(*child))
        find_rows(*child, rows);
    }
  }

  void table(const GumboNode& node) {
    std::vector<const GumboNode*> rows;
    find_rows(node, rows);
    std::size_t columns = 0;
    for (const GumboNode* row : rows) columns = std::max(columns, cells(*row));
    for (const GumboNode* child : children(node))
      if (html_tag(*child) == GUMBO_TAG_CAPTION) element(*child);
    if (columns == 0) return;
    flow_.require_lines(2);
    in_table_ = true;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      flow_.require_lines(1);
      // Only the first row must be full. Readers fill up the others.
      row(*rows[i], i == 0 ? columns : 0);
      if (i > 0) continue;
      flow_.require_lines(1);
      std::string line = "|";
      for (std::size_t k = 0; k < columns; ++k) line += " --- |";
      flow_.put(line);
    }
    in_table_ = false;
    flow_.require_lines(2);
  }

  static bool is_cell(const GumboNode& node) {
    return html_tag(node) == GUMBO_TAG_TD || html_tag(node) == GUMBO_TAG_TH;
  }
  static std::size_t cells(const GumboNode& row) {
    return static_cast<std::size_t>(std::ranges::count_if(
        children(row), [](const GumboNode* child) { return is_cell(*child); }));
  }

  void row(const GumboNode& row, std::size_t at_least) {
    flow_.put("|");
    std::size_t count = 0;
    for (const GumboNode* child : children(row)) {
      if (!is_cell(*child)) continue;
      ++count;
      flow_.space();
      one_line(*child);
      flow_.space();
      flow_.put("|");
    }
    for (; count < at_least; ++count) flow_.put(" |");
  }

  void text(std::string_view text) {
    while (!text.empty()) {
      const std::size_t start = std::min(text.find_first_not_of(ascii::whitespace), text.size());
      if (start > 0) flow_.space();
      text.remove_prefix(start);
      const std::size_t end = std::min(text.find_first_of(ascii::whitespace), text.size());
      if (end > 0) flow_.put(escaped(text.substr(0, end), flow_.at_line_start()));
      text.remove_prefix(end);
    }
  }

  HtmlFlow flow_;
  const HtmlWalk& walk_;
  std::vector<std::string_view> marks_;  // of the emphasis that is open
  unsigned one_line_ = 0;
  bool in_link_ = false;
  bool in_item_ = false;
  bool in_table_ = false;
  bool ordered_ = false;
  std::int64_t number_ = 1;
};

}  // namespace

bool write_markdown(const GumboNode& node, const HtmlWalk& walk, std::string& out) {
  MarkdownWalk(out, walk).node(node);
  return out.size() <= html_result_bytes_max;
}

}  // namespace fetchmill::workers::ops
