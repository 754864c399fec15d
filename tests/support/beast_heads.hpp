// Boost.Beast as a second opinion: whatever our gate accepts, Beast must read the same way. The
// other direction does not hold, and is not meant to: Beast accepts more.
#pragma once

#include "server/wire/head.hpp"

#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http.hpp>

namespace fetchmill::support {

namespace beast_http = boost::beast::http;

inline std::string text_of(boost::beast::string_view text) {
  return std::string(text.data(), text.size());
}

// Beast keeps fields of one name together, so the order is compared within each name.
inline std::string fields_difference(const server::wire::Fields& ours,
                                     const beast_http::fields& theirs) {
  std::size_t their_count = 0;
  for ([[maybe_unused]] const auto& field : theirs) ++their_count;
  if (their_count != ours.size()) return "number of fields";
  for (const auto& field : ours) {
    const auto range = theirs.equal_range(field.name);
    auto their_value = range.first;
    for (const auto* other = ours.begin(); other != &field; ++other) {
      if (boost::beast::iequals(other->name, field.name)) ++their_value;
    }
    if (their_value == range.second) return "no field " + std::string(field.name);
    if (text_of(their_value->value()) != field.value) return "value of " + std::string(field.name);
    if (their_value->name() != field.id) return "id of " + std::string(field.name);
  }
  return {};
}

template <class Parser>
boost::beast::error_code parse_with_beast(std::string_view head, Parser& parser) {
  parser.header_limit(1024 * 1024);
  parser.body_limit(boost::none);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(head), error);
  if (error == beast_http::error::need_more && parser.is_header_done()) error = {};
  return error;
}

// Beast gives up at a list that is malformed; we ignore Proxy-Connection, and close after a
// response whose Connection is malformed.
inline bool is_malformed_connection(const boost::beast::error_code& error,
                                    const server::wire::Fields& fields) {
  return error == beast_http::error::bad_value &&
         (fields.find(server::wire::FieldId::connection) != nullptr ||
          fields.find(server::wire::FieldId::proxy_connection) != nullptr);
}

template <class Parser, class Head>
std::string framing_difference(const Parser& parser, const Head& head) {
  using server::wire::Framing;
  if (parser.chunked() != (head.framing == Framing::chunked)) return "chunked";
  const auto length = parser.content_length();
  if (length.has_value() != (head.framing == Framing::length)) return "has a length";
  if (length.has_value() && *length != head.content_length) return "length";
  return {};
}

// What Beast reads otherwise, or an empty string. `bytes` begins with the head that was accepted as
// `head`.
inline std::string difference_from_beast(std::string_view bytes,
                                         const server::wire::RequestHead& head) {
  beast_http::request_parser<beast_http::empty_body> parser;
  const auto error = parse_with_beast(bytes.substr(0, head.bytes), parser);
  if (is_malformed_connection(error, head.fields)) return {};
  if (error) return error.message();
  const auto& theirs = parser.get();
  if (theirs.method() != head.method) return "method";
  if (text_of(theirs.method_string()) != head.method_text) return "text of the method";
  if (text_of(theirs.target()) != head.target_text) return "target";
  if (theirs.version() != 10 + head.minor_version) return "version";
  if (auto field = fields_difference(head.fields, theirs); !field.empty()) return field;
  return framing_difference(parser, head);
}

inline std::string difference_from_beast(std::string_view bytes, server::wire::Method method,
                                         const server::wire::ResponseHead& head) {
  beast_http::response_parser<beast_http::empty_body> parser;
  parser.skip(method == server::wire::Method::head);
  const auto error = parse_with_beast(bytes.substr(0, head.bytes), parser);
  if (is_malformed_connection(error, head.fields)) return {};
  if (error) return error.message();
  const auto& theirs = parser.get();
  if (theirs.result_int() != head.status) return "status";
  // Beast supplies a reason of its own where none was sent.
  if (!head.reason.empty() && text_of(theirs.reason()) != head.reason) return "text of the status";
  if (theirs.version() != 10 + head.minor_version) return "version";
  if (auto field = fields_difference(head.fields, theirs); !field.empty()) return field;
  if (head.framing == server::wire::Framing::none) return {};
  if (parser.need_eof() != (head.framing == server::wire::Framing::until_close)) {
    return "whether the end is the end of the connection";
  }
  return framing_difference(parser, head);
}

}  // namespace fetchmill::support
