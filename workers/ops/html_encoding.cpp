// Which encoding a page is in: the standard's prescan of the first kilobyte, and what comes before
// and after it.
#include "config/ascii.hpp"
#include "workers/ops/charset.hpp"
#include "workers/ops/html_document.hpp"

#include <simdjson.h>

namespace fetchmill::workers::ops {
namespace {

constexpr std::size_t prescan_bytes = 1024;

// "text/html; charset=x" of a meta element: what stands behind the first "charset=".
std::string_view charset_in_content(std::string_view content) {
  for (std::size_t at = 0; at + 7 <= content.size(); ++at) {
    if (!ascii::equals_ignoring_case(content.substr(at, 7), "charset")) continue;
    std::size_t value = at + 7;
    while (value < content.size() && ascii::is_whitespace(content[value])) ++value;
    if (value == content.size() || content[value] != '=') continue;
    ++value;
    while (value < content.size() && ascii::is_whitespace(content[value])) ++value;
    std::string_view rest = content.substr(value);
    if (rest.starts_with('"') || rest.starts_with('\'')) {
      const std::size_t end = rest.find(rest.front(), 1);
      return end == std::string_view::npos ? std::string_view() : rest.substr(1, end - 1);
    }
    return rest.substr(0, rest.find_first_of("; \t\n\f\r"));
  }
  return {};
}

class Prescan {
 public:
  explicit Prescan(std::string_view head) : rest_(head) {}

  const Charset* run() {
    while (!rest_.empty()) {
      if (rest_.starts_with("<!--")) {
        skip_past("-->", 2);
      } else if (rest_.size() > 5 && ascii::equals_ignoring_case(rest_.substr(0, 5), "<meta") &&
                 (ascii::is_whitespace(rest_[5]) || rest_[5] == '/')) {
        rest_.remove_prefix(6);
        if (const Charset* found = meta()) return found;
      } else if (is_tag()) {
        rest_.remove_prefix(1);
        while (!rest_.empty() && !ascii::is_whitespace(rest_.front()) && rest_.front() != '>')
          rest_.remove_prefix(1);
        while (next_attribute()) {
        }
      } else if (rest_.starts_with("<!") || rest_.starts_with("</") || rest_.starts_with("<?")) {
        skip_past(">", 0);
      } else {
        rest_.remove_prefix(1);
      }
    }
    return nullptr;
  }

 private:
  void skip_past(std::string_view end, std::size_t from) {
    const std::size_t found = rest_.find(end, from);
    rest_.remove_prefix(found == std::string_view::npos ? rest_.size() : found + end.size());
  }

  bool is_tag() const {
    const std::size_t letter = rest_.starts_with("</") ? 2 : 1;
    if (rest_.front() != '<' || rest_.size() <= letter) return false;
    return ascii::is_letter(rest_[letter]);
  }

  const Charset* meta() {
    std::string_view charset;
    std::string_view content;
    bool pragma = false;
    while (next_attribute()) {
      if (ascii::equals_ignoring_case(name_, "http-equiv"))
        pragma = pragma || ascii::equals_ignoring_case(value_, "content-type");
      else if (ascii::equals_ignoring_case(name_, "content") && content.empty())
        content = charset_in_content(value_);
      else if (ascii::equals_ignoring_case(name_, "charset") && charset.empty())
        charset = value_;
    }
    if (charset.empty() && pragma) charset = content;
    const Charset* found = find_charset(charset);
    if (found == nullptr) return nullptr;
    // The bytes could be read this far, so they are not UTF-16.
    if (found->name.starts_with("UTF-16")) return &utf8_charset();
    return found->kind == CharsetKind::user_defined ? find_charset("windows-1252") : found;
  }

  bool next_attribute() {
    while (!rest_.empty() && (ascii::is_whitespace(rest_.front()) || rest_.front() == '/'))
      rest_.remove_prefix(1);
    if (rest_.empty() || rest_.front() == '>') return false;
    std::size_t end = 1;
    while (end < rest_.size() && !ascii::is_whitespace(rest_[end]) && rest_[end] != '/' &&
           rest_[end] != '>' && rest_[end] != '=')
      ++end;
    name_ = rest_.substr(0, end);
    value_ = {};
    while (end < rest_.size() && ascii::is_whitespace(rest_[end])) ++end;
    rest_.remove_prefix(end);
    if (!rest_.starts_with('=')) return true;
    rest_.remove_prefix(1);
    while (!rest_.empty() && ascii::is_whitespace(rest_.front())) rest_.remove_prefix(1);
    if (rest_.starts_with('"') || rest_.starts_with('\'')) {
      const std::size_t quote = rest_.find(rest_.front(), 1);
      if (quote == std::string_view::npos) {
        rest_ = {};
        return false;
      }
      value_ = rest_.substr(1, quote - 1);
      rest_.remove_prefix(quote + 1);
      return true;
    }
    end = 0;
    while (end < rest_.size() && !ascii::is_whitespace(rest_[end]) && rest_[end] != '>') ++end;
    value_ = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return true;
  }

  std::string_view rest_;
  std::string_view name_;
  std::string_view value_;
};

}  // namespace

HtmlEncoding html_encoding(std::string_view bytes, std::string_view media_type) {
  if (const ByteOrderMark mark = byte_order_mark(bytes); mark.charset != nullptr)
    return {mark.charset, mark.size};
  if (const Charset* named = find_charset(charset_parameter(media_type))) return {named, 0};
  if (const Charset* named = Prescan(bytes.substr(0, prescan_bytes)).run()) return {named, 0};
  if (simdjson::validate_utf8(bytes.data(), bytes.size())) return {&utf8_charset(), 0};
  return {find_charset("windows-1252"), 0};
}

}  // namespace fetchmill::workers::ops
