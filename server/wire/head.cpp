#include "server/wire/head.hpp"

#include "config/ascii.hpp"
#include "server/wire/chars.hpp"
#include "server/wire/host.hpp"
#include "server/wire/lines.hpp"
#include "server/wire/message_fields.hpp"

#include <span>

namespace fetchmill::server::wire {
namespace {

// "HTTP/1.0" or "HTTP/1.1". Requires: text has 8 bytes.
Refusal read_version(std::string_view text, unsigned& minor_version, Refusal malformed) {
  if (!text.starts_with("HTTP/") || !ascii::is_digit(text[5]) || text[6] != '.' ||
      !ascii::is_digit(text[7])) {
    return malformed;
  }
  if (text[5] != '1' || text[7] > '1') return Refusal::unsupported_version;
  minor_version = static_cast<unsigned>(text[7] - '0');
  return Refusal::none;
}

Refusal refusal_of_target_char(char c) {
  if (c == ' ' || c == '\t') return Refusal::malformed_request_line;
  if (c == '#') return Refusal::fragment_in_target;
  if (c == '"' || c == '<' || c == '>') return Refusal::unencoded_in_target;
  return static_cast<unsigned char>(c) >= 0x80 ? Refusal::non_ascii_in_target
                                               : Refusal::invalid_target;
}

Refusal read_request_line(std::string_view line, RequestHead& head) {
  const std::size_t method_bytes = span_of(token_char, line);
  if (method_bytes == line.size()) return Refusal::malformed_request_line;
  if (method_bytes == 0 || line[method_bytes] != ' ') return Refusal::invalid_method;
  head.method_text = line.substr(0, method_bytes);
  head.method = boost::beast::http::string_to_verb(head.method_text);

  constexpr std::size_t version_bytes = 8;
  const std::string_view rest = line.substr(method_bytes + 1);
  if (rest.size() <= version_bytes || rest[rest.size() - version_bytes - 1] != ' ') {
    return Refusal::malformed_request_line;
  }
  if (const Refusal refusal = read_version(rest.substr(rest.size() - version_bytes),
                                           head.minor_version, Refusal::malformed_request_line);
      refusal != Refusal::none) {
    return refusal;
  }
  head.target_text = rest.substr(0, rest.size() - version_bytes - 1);
  if (head.target_text.empty()) return Refusal::empty_target;
  const std::size_t target_bytes = span_of(target_char, head.target_text);
  if (target_bytes < head.target_text.size()) {
    return refusal_of_target_char(head.target_text[target_bytes]);
  }
  return head.method == Method::connect ? Refusal::connect_method : Refusal::none;
}

Refusal read_status_line(std::string_view line, ResponseHead& head) {
  constexpr std::string_view shortest = "HTTP/1.1 200";
  if (line.size() < shortest.size() || line[8] != ' ') return Refusal::malformed_status_line;
  if (const Refusal refusal =
          read_version(line.substr(0, 8), head.minor_version, Refusal::malformed_status_line);
      refusal != Refusal::none) {
    return refusal;
  }
  head.status = 0;
  for (const char c : line.substr(9, 3)) {
    if (!ascii::is_digit(c)) return Refusal::malformed_status_line;
    head.status = head.status * 10 + static_cast<unsigned>(c - '0');
  }
  if (head.status < 100) return Refusal::malformed_status_line;
  if (line.size() > shortest.size() && line[12] != ' ') return Refusal::malformed_status_line;
  head.reason = line.size() > shortest.size() ? line.substr(13) : std::string_view();
  return head.status == 101 ? Refusal::switching_protocols : Refusal::none;
}

// The first pass, with the first line read as soon as it is complete: a peer that speaks something
// else is told so without waiting for an empty line that may never come.
template <class ReadStartLine>
HeadResult scan_head(std::string_view bytes, HeadProgress& progress, const HeadLimits& limits,
                     LineEnds& ends, ReadStartLine read_start_line) {
  if (progress.start_line_bytes == 0) {
    const HeadResult line = scan_start_line(bytes, progress, limits);
    if (line.status != HeadStatus::complete) return line;
    const std::size_t line_bytes = progress.scanned - 2;
    if (line_bytes == 0) return refused(Refusal::leading_empty_line);
    if (const Refusal refusal = read_start_line(bytes.substr(0, line_bytes));
        refusal != Refusal::none) {
      return refused(refusal);
    }
    progress.start_line_bytes = line_bytes;
    progress.line_start = progress.scanned;
  }
  return scan_field_lines(bytes, progress, limits, ends);
}

// Both passes. is_framed() is asked once the first line is known; decide(message) has the last
// word.
template <class Head, class ReadStartLine, class IsFramed, class Decide>
HeadResult parse_head(std::string_view bytes, HeadProgress& progress, Head& head,
                      const HeadLimits& limits, ReadStartLine read_start_line, IsFramed is_framed,
                      Decide decide) {
  LineEnds ends;
  const bool came_in_pieces = progress.scanned > 0;
  HeadResult scanned = scan_head(bytes, progress, limits, ends, read_start_line);
  if (scanned.status == HeadStatus::complete && came_in_pieces) {
    // The ends that earlier calls found are forgotten, and the buffer may have moved since.
    progress = {};
    scanned = scan_head(bytes, progress, limits, ends, read_start_line);
  }
  if (scanned.status != HeadStatus::complete) return scanned;
  MessageFields message;
  message.is_framed = is_framed();
  Refusal refusal = read_field_lines(bytes, progress.start_line_bytes + 2,
                                     std::span(ends).first(progress.fields), head.fields, message);
  if (refusal == Refusal::none) refusal = decide(message);
  if (refusal != Refusal::none) return refused(refusal);
  head.bytes = progress.scanned;
  progress = {};
  return scanned;
}

// RFC 9112 §3.2: origin-form, asterisk-form with OPTIONS, or absolute-form for this very host.
Refusal decide_target(RequestHead& head) {
  const std::string_view text = head.target_text;
  head.target = text;
  if (text.front() == '/') return Refusal::none;
  if (text == "*") {
    return head.method == Method::options ? Refusal::none : Refusal::invalid_target;
  }
  const std::size_t scheme_bytes = text.find("://");
  if (scheme_bytes == std::string_view::npos) return Refusal::invalid_target;
  const std::string_view scheme = text.substr(0, scheme_bytes);
  if (!ascii::equals_ignoring_case(scheme, "http") &&
      !ascii::equals_ignoring_case(scheme, "https")) {
    return Refusal::invalid_target;
  }
  const std::string_view rest = text.substr(scheme_bytes + 3);
  const std::size_t authority_bytes = rest.find_first_of("/?");
  if (authority_bytes == std::string_view::npos || rest[authority_bytes] == '?') {
    return Refusal::invalid_target;
  }
  if (!ascii::equals_ignoring_case(rest.substr(0, authority_bytes), head.host)) {
    return Refusal::target_host_mismatch;
  }
  head.target = rest.substr(authority_bytes);
  return Refusal::none;
}

template <class Head>
void set_framing(const MessageFields& message, Framing without_length, Head& head) {
  head.framing = without_length;
  if (message.has_content_length) head.framing = Framing::length;
  if (message.is_chunked) head.framing = Framing::chunked;
  head.content_length = message.content_length;
}

Refusal decide_request(const MessageFields& message, RequestHead& head) {
  if (const Refusal refusal = check_framing(message, head.minor_version);
      refusal != Refusal::none) {
    return refusal;
  }
  if (message.hosts == 0) return Refusal::host_missing;
  if (message.hosts > 1) return Refusal::host_repeated;
  if (!is_valid_host(message.host)) return Refusal::host_invalid;
  if (!message.connection_is_valid) return Refusal::connection_invalid;
  if (message.expectations > 1 || (message.expectations == 1 && !message.expects_continue)) {
    return Refusal::expect_unsupported;
  }
  head.host = message.host;
  set_framing(message, Framing::none, head);
  head.keep_alive = keeps_alive(message, head.minor_version);
  const bool has_body = message.is_chunked || message.content_length > 0;
  head.expect_continue = message.expects_continue && head.minor_version == 1 && has_body;
  return decide_target(head);
}

// A client must ignore what such an answer says about a body (RFC 9110 §9.3.6).
bool opens_tunnel(Method request_method, unsigned status) {
  return request_method == Method::connect && status >= 200 && status < 300;
}

// RFC 9112 §6.3, from the client's side.
Refusal decide_response(const MessageFields& message, Method request_method, ResponseHead& head) {
  if (const Refusal refusal = check_framing(message, head.minor_version);
      refusal != Refusal::none) {
    return refusal;
  }
  const bool announces_body = message.is_chunked || message.content_length > 0;
  const bool is_interim = head.status < 200;
  if (is_interim && (message.is_chunked || message.has_content_length)) {
    return Refusal::interim_with_body;
  }
  head.keep_alive = keeps_alive(message, head.minor_version);
  head.framing = Framing::none;
  head.content_length = 0;
  if (is_interim || request_method == Method::head || head.status == 304) return Refusal::none;
  if (head.status == 204) {
    // Whether the announced body follows cannot be known, so nothing after this head is read as a
    // response.
    if (announces_body) head.keep_alive = false;
    return Refusal::none;
  }
  set_framing(message, Framing::until_close, head);
  if (head.framing == Framing::until_close) head.keep_alive = false;
  return Refusal::none;
}

}  // namespace

const Field* Fields::find(FieldId id) const {
  if (id == FieldId::unknown) return nullptr;
  for (const Field& field : *this) {
    if (field.id == id) return &field;
  }
  return nullptr;
}

const Field* Fields::find(std::string_view name) const {
  for (const Field& field : *this) {
    if (ascii::equals_ignoring_case(field.name, name)) return &field;
  }
  return nullptr;
}

std::string_view Fields::value(FieldId id) const {
  const Field* field = find(id);
  return field == nullptr ? std::string_view() : field->value;
}

HeadResult parse_request_head(std::string_view bytes, HeadProgress& progress, RequestHead& head,
                              const HeadLimits& limits) {
  return parse_head(
      bytes, progress, head, limits,
      [&head](std::string_view line) { return read_request_line(line, head); }, [] { return true; },
      [&head](const MessageFields& message) { return decide_request(message, head); });
}

HeadResult parse_response_head(std::string_view bytes, Method request_method,
                               HeadProgress& progress, ResponseHead& head,
                               const HeadLimits& limits) {
  return parse_head(
      bytes, progress, head, limits,
      [&head](std::string_view line) { return read_status_line(line, head); },
      [&head, request_method] { return !opens_tunnel(request_method, head.status); },
      [&](const MessageFields& message) { return decide_response(message, request_method, head); });
}

}  // namespace fetchmill::server::wire
