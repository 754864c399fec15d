#include "server/fetch/request.hpp"

#include "config/append.hpp"
#include "config/ascii.hpp"
#include "config/digits.hpp"
#include "config/version.hpp"
#include "server/fetch/credentials.hpp"
#include "server/wire/chars.hpp"

#include <algorithm>
#include <array>

#include <boost/beast/core/string.hpp>

namespace fetchmill::server::fetch {
namespace {

using boost::beast::iequals;
using config::Error;
using config::ErrorCode;

constexpr std::array allowed_methods{
    wire::Method::get,   wire::Method::head,    wire::Method::post,    wire::Method::put,
    wire::Method::patch, wire::Method::delete_, wire::Method::options,
};

// They say how the message is framed or how long the connection lives, which only its sender may
// decide; a proxy's credentials are the operator's.
constexpr std::array<std::string_view, 13> own_fields{
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Upgrade",
    "Expect",
    "HTTP2-Settings",
    "Proxy-Authorization",
    "Proxy-Authenticate",
};

bool has_token_chars_only(std::string_view text) {
  return wire::span_of(wire::token_char, text) == text.size();
}

// Bytes of 0x80 and above are opaque but legal; controls are not, the tab excepted.
bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

bool has_header(const FetchRequest& request, std::string_view name) {
  for (const Header& header : request.headers)
    if (iequals(header.name, name)) return true;
  return false;
}

// Methods whose meaning expects a body say so even when it is empty (RFC 9110 §8.6).
bool declares_length(const FetchRequest& request) {
  return !request.body.empty() || request.method == wire::Method::post ||
         request.method == wire::Method::put || request.method == wire::Method::patch;
}

// The caller's trace, unless the task has its own: the two fields belong together.
bool sends_trace(const FetchRequest& request) {
  return std::none_of(request.trace.begin(), request.trace.end(),
                      [&](const Header& field) { return has_header(request, field.name); });
}

// Calls emit(name, value) for what is sent where the caller does not send another.
template <class Emit>
void for_each_default(const FetchRequest& request, Emit emit) {
  static const std::string user_agent = "fetchmill/" + std::string(config::version);
  if (!has_header(request, "User-Agent")) emit("User-Agent", user_agent);
  if (!has_header(request, "Accept")) emit("Accept", "*/*");
  // A range is one of the representation, and a piece of a coded one cannot be decoded.
  if (codings_are_ours(request))
    emit("Accept-Encoding", has_header(request, "Range") ? "identity" : asked_codings);
}

// The same for everything else that every version of HTTP has.
template <class Emit>
void for_each_other(const FetchRequest& request, Emit emit) {
  for (const Header& header : request.headers) emit(header.name, header.value);
  if (sends_trace(request))
    for (const Header& field : request.trace) emit(field.name, field.value);
  if (request.credential && request.credential->is_for(request.url, request.method))
    emit(request.credential->header.name, request.credential->header.value);
  if (declares_length(request)) emit("Content-Length", config::Digits(request.body.size()));
}

}  // namespace

config::Result<wire::Method> check_method(std::string_view method) {
  const auto known = std::find_if(
      allowed_methods.begin(), allowed_methods.end(),
      [&](wire::Method candidate) { return boost::beast::http::to_string(candidate) == method; });
  if (known != allowed_methods.end()) return *known;
  return Error(ErrorCode::invalid_request,
               "the method must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

config::Result<void> check_header(std::string_view name, std::string_view value) {
  if (name.empty() || !has_token_chars_only(name))
    return Error(ErrorCode::invalid_request, "a header's name must be an HTTP token");
  if (std::any_of(own_fields.begin(), own_fields.end(),
                  [&](std::string_view own) { return iequals(own, name); }))
    return Error(ErrorCode::invalid_request,
                 std::string(name) + " is set by the server and cannot be chosen");
  if (!std::all_of(value.begin(), value.end(), is_value_char))
    return Error(ErrorCode::invalid_request, "a header's value must not hold control characters");
  if (!value.empty() && (is_space(value.front()) || is_space(value.back())))
    return Error(ErrorCode::invalid_request,
                 "a header's value must not begin or end with white space");
  return {};
}

config::Result<void> check_headers(std::span<const Header> headers) {
  std::size_t bytes = 0;
  for (const Header& header : headers) {
    bytes += header.name.size() + header.value.size();
    config::Result<void> checked = check_header(header.name, header.value);
    if (checked) continue;
    Error error = checked.error();
    // Only a token is fit to be repeated in an answer.
    const bool printable = has_token_chars_only(header.name);
    error.field = printable ? "headers." + header.name : "headers";
    return error;
  }
  if (headers.size() > request_headers_max)
    return Error(ErrorCode::invalid_request,
                 "more than " + std::to_string(request_headers_max) + " headers", "headers");
  if (bytes > request_header_bytes_max)
    return Error(ErrorCode::invalid_request,
                 "more than " + std::to_string(request_header_bytes_max) + " bytes of headers",
                 "headers");
  return {};
}

config::Result<StatusRange> parse_status_range(std::string_view text) {
  if (text.size() == 3 && text[0] >= '1' && text[0] <= '5') {
    const auto hundreds = static_cast<unsigned>(text[0] - '0') * 100;
    if (text.substr(1) == "xx") return StatusRange{hundreds, hundreds + 99};
    if (ascii::is_digit(text[1]) && ascii::is_digit(text[2])) {
      const unsigned status = hundreds + static_cast<unsigned>(text[1] - '0') * 10 +
                              static_cast<unsigned>(text[2] - '0');
      return StatusRange{status, status};
    }
  }
  return Error(ErrorCode::invalid_request,
               "a status must be a number from 100 to 599 or a class such as \"2xx\"");
}

bool accepts(std::span<const StatusRange> ranges, unsigned status) {
  const auto holds = [status](const StatusRange& range) {
    return status >= range.first && status <= range.last;
  };
  return ranges.empty() ? holds(StatusRange{}) : std::any_of(ranges.begin(), ranges.end(), holds);
}

bool codings_are_ours(const FetchRequest& request) {
  return !has_header(request, "Accept-Encoding");
}

bool is_idempotent(wire::Method method) {
  return method != wire::Method::post && method != wire::Method::patch;
}

void append_request_head(std::string& to, const FetchRequest& request) {
  const auto add_to = [](std::string& lines) {
    return [&lines](std::string_view name, std::string_view value) {
      config::append(lines, "\r\n", name, ": ", value);
    };
  };
  // Of callers who want nothing of their own sent, as most.
  static const std::string all_defaults = [&] {
    std::string lines;
    for_each_default({}, add_to(lines));
    return lines;
  }();
  const bool has_all_defaults = request.headers.empty();
  config::append(to, boost::beast::http::to_string(request.method), " ",
                 request.url.request_target(), " HTTP/1.1\r\nHost: ", request.url.host.text,
                 request.url.port_suffix(),
                 has_all_defaults ? std::string_view(all_defaults) : std::string_view());
  if (!has_all_defaults) for_each_default(request, add_to(to));
  for_each_other(request, add_to(to));
  config::append(to, "\r\n\r\n");
}

std::vector<Header> http2_fields(const FetchRequest& request) {
  std::vector<Header> fields;
  fields.reserve(request.headers.size() + 8);
  fields.push_back({":method", std::string(boost::beast::http::to_string(request.method))});
  fields.push_back({":scheme", std::string(to_string(request.url.scheme))});
  fields.push_back({":authority", request.url.host_header()});
  fields.push_back({":path", std::string(request.url.request_target())});
  const auto add = [&](std::string_view name, std::string_view value) {
    fields.push_back({ascii::to_lower(name), std::string(value)});
  };
  for_each_default(request, add);
  for_each_other(request, add);
  return fields;
}

}  // namespace fetchmill::server::fetch
