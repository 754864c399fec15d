// The recursive-descent parser behind parse_jsonpath(): queries in jsonpath_parser.cpp, what
// stands in filters in jsonpath_filter_parser.cpp.
//
// Each rule takes what it reads from the text; false: it cannot, and fault() says why.
#pragma once

#include "workers/json/jsonpath.hpp"

namespace fetchmill::workers::json {

class JsonPathParser {
 public:
  explicit JsonPathParser(std::string_view text) : text_(text) {}

  bool parse(Query& query);
  const std::string& fault() const { return fault_; }

 private:
  bool segments(Query& query);
  bool segment(Segment& segment);
  bool bracketed(Segment& segment);
  bool selector(Selector& selector);
  bool index_or_slice(Selector& selector);
  bool integer(std::int64_t& value);
  bool shorthand_name(std::string& name);
  bool string_literal(std::string& value);
  bool escape(char quote, std::string& value);
  bool hex_escape(std::string& value);
  bool hex_digits(unsigned& value);

  bool any_of(Expression& expression);
  bool all_of(Expression& expression);
  bool basic(Expression& expression);
  bool nested(Expression& expression);
  bool comparison(Expression& expression, Expression&& left);
  bool operand(Expression& expression);
  bool word(Expression& expression);
  bool call(std::string_view name, Expression& expression);
  bool number(Expression& expression);
  bool require_test(Expression& expression, std::size_t at);
  bool require_comparable(const Expression& expression, std::size_t at);

  bool fail(std::string_view reason) { return fail(reason, at_); }
  bool fail(std::string_view reason, std::size_t at);
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool take(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  bool take_digits();

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string fault_;
};

}  // namespace fetchmill::workers::json
