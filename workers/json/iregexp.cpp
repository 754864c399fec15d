#include "workers/json/iregexp.hpp"

#include "config/ascii.hpp"

namespace fetchmill::workers::json {
namespace {

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::optional<std::string> translate() {
    while (at_ < pattern_.size())
      if (!piece()) return std::nullopt;
    if (open_ != 0) return std::nullopt;
    return std::move(out_);
  }

 private:
  bool piece() {
    const char c = pattern_[at_++];
    const bool after_atom = after_atom_;
    after_atom_ = false;
    switch (c) {
      case '|':
        out_ += c;
        return true;
      case '(':
        out_ += "(?:";
        ++open_;
        return true;
      case ')':
        if (open_-- == 0) return false;
        out_ += c;
        break;
      case '*':
      case '+':
      case '?':
        out_ += c;
        return after_atom;
      case '{':
        return after_atom && repetition();
      case '.':
        out_ += "[^\\n\\r]";
        break;
      case '[':
        if (!bracketed()) return false;
        break;
      case '\\':
        if (!escape()) return false;
        break;
      case ']':
      case '}':
        return false;
      default:  // ^ and $ too: the grammar has them as characters, JSONPath's suite as anchors
        out_ += c;
        // The rest of a character of several bytes belongs to the same atom.
        while (at_ < pattern_.size() &&
               (static_cast<unsigned char>(pattern_[at_]) & 0xC0U) == 0x80U)
          out_ += pattern_[at_++];
    }
    after_atom_ = true;
    return true;
  }

  bool digits() {
    const std::size_t from = at_;
    while (ascii::is_digit(peek())) out_ += pattern_[at_++];
    return at_ > from;
  }

  bool repetition() {
    out_ += '{';
    if (!digits()) return false;
    if (peek() == ',') {
      out_ += pattern_[at_++];
      digits();
    }
    return close('}');
  }

  bool escape() {
    const char c = peek();
    out_ += '\\';
    if (c == 'p' || c == 'P') return category();
    constexpr std::string_view single = "()*+-.?[\\]^nrt{|}";
    if (c == '\0' || single.find(c) == std::string_view::npos) return false;
    out_ += pattern_[at_++];
    return true;
  }

  bool category() {
    out_ += pattern_[at_++];
    if (peek() != '{') return false;
    const std::size_t end = pattern_.find('}', at_);
    if (end == std::string_view::npos || !is_category(pattern_.substr(at_ + 1, end - at_ - 1)))
      return false;
    out_ += pattern_.substr(at_, end + 1 - at_);
    at_ = end + 1;
    return true;
  }

  static bool is_category(std::string_view name) {
    constexpr std::string_view known[] = {"Llmotu", "Mcen",  "Ndlo", "Pcdefios",
                                          "Zlps",   "Sckmo", "Ccfno"};
    if (name.empty() || name.size() > 2) return false;
    for (const std::string_view row : known)
      if (row[0] == name[0])
        return name.size() == 1 || row.find(name[1], 1) != std::string_view::npos;
    return false;
  }

  bool bracketed() {
    out_ += '[';
    if (peek() == '^') out_ += pattern_[at_++];
    bool empty = true;
    while (at_ < pattern_.size() && peek() != ']') {
      const bool is_class = peek() == '\\' && (peek(1) == 'p' || peek(1) == 'P');
      if (peek() == '-') {
        if (!empty && peek(1) != ']') return false;
        out_ += "\\-";
        ++at_;
      } else if (!bracket_character()) {
        return false;
      } else if (!is_class && peek() == '-' && peek(1) != ']') {
        out_ += pattern_[at_++];
        if (peek() == '-' || (peek() == '\\' && (peek(1) == 'p' || peek(1) == 'P')) ||
            !bracket_character())
          return false;
      }
      empty = false;
    }
    return !empty && close(']');
  }

  bool bracket_character() {
    const char c = peek();
    if (c == '\0' && at_ >= pattern_.size()) return false;
    if (c == '[') return false;
    ++at_;
    if (c == '\\') return escape();
    if (c == '^') out_ += '\\';
    out_ += c;
    while ((static_cast<unsigned char>(peek()) & 0xC0U) == 0x80U) out_ += pattern_[at_++];
    return true;
  }

  bool close(char c) {
    if (peek() != c) return false;
    out_ += c;
    ++at_;
    return true;
  }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0';
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::size_t open_ = 0;
  bool after_atom_ = false;
  std::string out_;
};

}  // namespace

std::optional<std::string> iregexp_to_re2(std::string_view pattern) {
  return Translator(pattern).translate();
}

}  // namespace fetchmill::workers::json
