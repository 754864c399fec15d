#include "workers/ops/html_scan.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

constexpr std::string_view void_elements =
    " area base basefont bgsound br col embed frame hr image img input keygen link meta param "
    "source track wbr html head body ";
constexpr std::string_view raw_text_elements =
    " script style textarea title xmp iframe noembed noframes plaintext ";
constexpr std::string_view formatting_elements =
    " a b big code em font i nobr s small strike strong tt u ";
constexpr std::string_view closes_paragraph =
    " address article aside blockquote center details dialog dir div dl fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr li listing main menu nav ol p pre section "
    "summary table ul xmp dd dt ";
constexpr std::string_view cell_bounds = " table template td th caption svg math object button ";

// What a start tag ends when its end tag was left out: the nearest of `ended` above all `bounds`.
struct ImpliedEnd {
  std::string_view opened;
  std::string_view ended;
  std::string_view bounds;
};
constexpr ImpliedEnd implied_ends[] = {
    {closes_paragraph, " p ", cell_bounds},
    {" li ", " li ", " ul ol menu dir table template td th "},
    {" dd dt ", " dd dt ", " dl table template td th "},
    {" option optgroup ", " option ", " select optgroup table "},
    {" td th ", " td th ", " tr table template "},
    {" tr tbody thead tfoot ", " tr ", " table template "},
    {" tbody thead tfoot ", " tbody thead tfoot ", " table template "},
    {" a ", " a ", cell_bounds},
    {" nobr ", " nobr ", cell_bounds},
    {" button ", " button ", " table template td th "},
};

// `names` has a space around each name.
bool is_among(std::string_view name, std::string_view names) {
  for (std::size_t at = names.find(name); at != std::string_view::npos;
       at = names.find(name, at + 1))
    if (names[at - 1] == ' ' && names[at + name.size()] == ' ') return true;
  return false;
}

struct Tag {
  std::string name;  // lower case
  bool self_closing = false;
  std::size_t attributes = 0;
};

class Scan {
 public:
  explicit Scan(std::string_view html) : html_(html) {}

  Result<void> run() {
    while (at_ < html_.size()) {
      const void* found = std::memchr(html_.data() + at_, '<', html_.size() - at_);
      if (found == nullptr) break;
      start_ = static_cast<std::size_t>(static_cast<const char*>(found) - html_.data());
      at_ = start_ + 1;
      if (auto done = markup(); !done) return done;
    }
    return {};
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < html_.size() ? html_[at_ + ahead] : '\0';
  }

  void skip_past(std::string_view end) {
    const std::size_t found = html_.find(end, at_);
    at_ = found == std::string_view::npos ? html_.size() : found + end.size();
  }

  Result<void> markup() {
    if (peek() == '!') {
      skip_declaration();
      return {};
    }
    if (peek() == '?') {
      skip_past(">");
      return {};
    }
    if (peek() == '/') {
      ++at_;
      if (ascii::is_letter(peek())) {
        const Tag tag = read_tag();
        end(tag.name);
      } else if (peek() != '\0') {
        skip_past(">");
      }
      return add_cost();
    }
    if (!ascii::is_letter(peek())) return {};
    const Tag tag = read_tag();
    if (tag.attributes > html_attributes_max)
      return refused("a tag has more than " + std::to_string(html_attributes_max) + " attributes");
    return start(tag);
  }

  void skip_declaration() {
    if (html_.substr(at_).starts_with("![CDATA[") && foreign_ > 0) return skip_past("]]>");
    if (!html_.substr(at_).starts_with("!--")) return skip_past(">");
    at_ += 3;
    if (peek() == '>' || (peek() == '-' && peek(1) == '>')) return skip_past(">");
    for (;; ++at_) {
      at_ = std::min(html_.find("--", at_), html_.size());
      if (at_ == html_.size()) return;
      if (peek(2) == '>' || (peek(2) == '!' && peek(3) == '>')) return skip_past(">");
    }
  }

  Tag read_tag() {
    Tag tag;
    for (; at_ < html_.size() && !ascii::is_whitespace(html_[at_]) && html_[at_] != '/' &&
           html_[at_] != '>';
         ++at_) {
      const char c = html_[at_];
      if (tag.name.size() < 32) tag.name += ascii::to_lower(c);
    }
    while (at_ < html_.size() && html_[at_] != '>') {
      if (ascii::is_whitespace(html_[at_])) {
        ++at_;
      } else if (html_[at_] == '/') {
        ++at_;
        tag.self_closing = peek() == '>';
      } else {
        skip_attribute();
        ++tag.attributes;
      }
    }
    if (at_ < html_.size()) ++at_;
    return tag;
  }

  void skip_attribute() {
    ++at_;  // whatever it is, even "="
    while (at_ < html_.size() && !ascii::is_whitespace(html_[at_]) && html_[at_] != '/' &&
           html_[at_] != '>' && html_[at_] != '=')
      ++at_;
    std::size_t value = at_;
    while (value < html_.size() && ascii::is_whitespace(html_[value])) ++value;
    if (value == html_.size() || html_[value] != '=') return;
    at_ = value + 1;
    while (at_ < html_.size() && ascii::is_whitespace(html_[at_])) ++at_;
    if (peek() == '"' || peek() == '\'') {
      const char quote = html_[at_++];
      skip_past({&quote, 1});
      return;
    }
    while (at_ < html_.size() && !ascii::is_whitespace(html_[at_]) && html_[at_] != '>') ++at_;
  }

  Result<void> start(const Tag& tag) {
    if (foreign_ > 0 && tag.self_closing) return add_cost();
    if (foreign_ == 0)
      for (const ImpliedEnd& rule : implied_ends)
        if (is_among(tag.name, rule.opened)) close(rule.ended, rule.bounds);
    if (foreign_ == 0 && is_among(tag.name, raw_text_elements)) {
      skip_raw_text(tag.name);
      return add_cost();
    }
    if (is_among(tag.name, void_elements)) return add_cost();
    open_.push_back(tag.name);
    if (is_foreign(tag.name)) ++foreign_;
    if (open_.size() > html_depth_max)
      return refused("elements nest more than " + std::to_string(html_depth_max) + " deep");
    return add_cost();
  }

  void end(const std::string& name) {
    if (is_among(name, formatting_elements)) {
      // What was opened inside stays open.
      for (std::size_t i = open_.size(); i-- > 0 && !is_among(open_[i], cell_bounds);) {
        if (open_[i] != name) continue;
        open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
        return;
      }
      return;
    }
    const bool of_table =
        is_among(name, " table tbody thead tfoot tr td th caption template svg math ");
    close(' ' + name + ' ', of_table ? " template " : " td th caption template ");
  }

  // Ends the nearest open element of `ended` and all inside it, unless one of `bounds` is nearer.
  void close(std::string_view ended, std::string_view bounds) {
    for (std::size_t i = open_.size(); i-- > 0;) {
      if (is_among(open_[i], ended)) {
        for (std::size_t k = i; k < open_.size(); ++k)
          if (is_foreign(open_[k])) --foreign_;
        open_.resize(i);
        return;
      }
      if (is_among(open_[i], bounds)) return;
    }
  }

  void skip_raw_text(const std::string& name) {
    if (name == "plaintext") at_ = html_.size();
    while (at_ < html_.size()) {
      at_ = std::min(html_.find("</", at_), html_.size());
      const std::string_view end = html_.substr(std::min(at_ + 2, html_.size()), name.size());
      if (ascii::equals_ignoring_case(end, name)) {
        at_ += 2;
        read_tag();
        return;
      }
      at_ = std::min(at_ + 2, html_.size());
    }
  }

  Result<void> add_cost() {
    cost_ += open_.size() + 1;
    if (cost_ <= html_open_elements_sum_max) return {};
    return refused(
        "too many tags at too great a depth: the open elements at all tags add up to "
        "more than " +
        std::to_string(html_open_elements_sum_max));
  }

  Error refused(const std::string& what) const {
    return Error(ErrorCode::processing_failed, what + " (byte " + std::to_string(start_) + ")");
  }

  static bool is_foreign(std::string_view name) { return name == "svg" || name == "math"; }

  std::string_view html_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;  // of the tag that is being read
  std::uint64_t cost_ = 0;
  std::size_t foreign_ = 0;  // how many of open_ are svg or math
  std::vector<std::string> open_;
};

}  // namespace

Result<void> check_html_nesting(std::string_view html) {
  return Scan(html).run();
}

}  // namespace fetchmill::workers::ops
