#include "config/forms.hpp"

#include "config/ascii.hpp"
#include "config/utf8.hpp"
#include "config/whole_number.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include <arpa/inet.h>
#include <sys/socket.h>

namespace fetchmill::config {
namespace {

struct FormInfo {
  std::string_view placeholder;
  std::string_view expected;
};

// In the order of Form.
constexpr std::array<FormInfo, 18> forms{{
    {"IP:PORT", "an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080"},
    {"IP:PORT", "an IP address and a port, such as 127.0.0.1:9090, or nothing"},
    {"PATH", "a file path in UTF-8 without control characters"},
    {"NETWORK",
     "a network as ADDRESS/PREFIX with no bit set beyond the prefix, such as 10.0.0.0/8"},
    {"PORT", "a port from 1 to 65535"},
    {"HOST", "a host name, an IPv4 address or an IPv6 address in brackets, without a port, or *"},
    {"ORIGIN",
     "an origin as browsers send it: http:// or https://, a lower-case host, and the port unless "
     "it is the default one"},
    {"IP[:PORT]",
     "an IP address, with a port unless it is 53, such as 192.0.2.53, 192.0.2.53:5353 or "
     "[2001:db8::53]:5353"},
    {"SCHEME", "http or https"},
    {"HOST", "a host name or address as in a URL, *.NAME or .NAME"},
    {"ORIGIN",
     "http:// or https://, a host name or address, *.NAME or .NAME, and a port if needed, "
     "such as https://api.example or https://*.corp.example:8443"},
    {"URL",
     "http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before the host if needed, "
     "or nothing"},
    {"TEXT", "one line of UTF-8 without control characters"},
    {"STEPS",
     "an array of steps, or the same as JSON text such as [{\"op\":\"json.select\","
     "\"pointer\":\"/price\"}]"},
    {"METHOD", "one of GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS"},
    {"FIELD", "the name of a header field"},
    {"VALUE", "the value of a header field: not empty, without control characters or outer spaces"},
    {"OP", "the name of an op, or FAMILY.* for all ops of a family"},
}};

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  unsigned bits = 0;
};

std::optional<Address> parse_address(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  Address address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) {
    address.bits = 32;
    return address;
  }
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) {
    address.bits = 128;
    return address;
  }
  return std::nullopt;
}

// Digits only, without leading zeros, at most `max`.
std::optional<unsigned> parse_small(std::string_view text, unsigned max) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  const auto value = parse_whole_number<unsigned>(text);
  return value && *value <= max ? value : std::nullopt;
}

bool is_port(std::string_view text) {
  return parse_small(text, 65535).value_or(0) != 0;
}

bool is_bracketed_ipv6(std::string_view text) {
  if (text.size() < 4 || text.front() != '[' || text.back() != ']') return false;
  const std::optional<Address> address = parse_address(text.substr(1, text.size() - 2));
  return address && address->bits == 128;
}

bool is_name(std::string_view text, bool upper_case_too) {
  if (text.empty() || text.size() > 253) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    const bool fits = upper_case_too || ascii::to_lower(c) == c;
    return (fits && ascii::is_alphanumeric(c)) || c == '-' || c == '.' || c == '_';
  });
}

bool is_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view host = text.substr(0, colon);
  if (!parse_small(text.substr(colon + 1), 65535)) return false;
  if (is_bracketed_ipv6(host)) return true;
  const std::optional<Address> address = parse_address(host);
  return address && address->bits == 32;
}

bool is_name_server(std::string_view text) {
  const std::optional<Address> address = parse_address(text);
  if (is_bracketed_ipv6(text) || (address && address->bits == 32)) return true;
  return is_listen_address(text) && !text.ends_with(":0");
}

bool is_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::optional<Address> address = parse_address(text.substr(0, slash));
  if (!address) return false;
  const std::optional<unsigned> prefix = parse_small(text.substr(slash + 1), address->bits);
  if (!prefix) return false;
  for (unsigned bit = *prefix; bit < address->bits; ++bit)
    if (address->bytes[bit / 8] & (0x80U >> (bit % 8))) return false;
  return true;
}

bool is_host(std::string_view text) {
  return text == "*" || is_bracketed_ipv6(text) || is_name(text, true);
}

bool is_origin(std::string_view text) {
  std::string_view default_port;
  if (text.starts_with("https://")) {
    default_port = "443";
  } else if (text.starts_with("http://")) {
    default_port = "80";
  } else {
    return false;
  }
  std::string_view host = text.substr(text.find("//") + 2);
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) {
    const std::string_view port = host.substr(colon + 1);
    if (!is_port(port) || port == default_port) return false;
    host = host.substr(0, colon);
  }
  return is_bracketed_ipv6(host) || is_name(host, false);
}

// Names may be international here; whether a name can be one is seen at start.
bool is_host_pattern(std::string_view text) {
  if (is_bracketed_ipv6(text)) return true;
  if (text.starts_with("*.")) text.remove_prefix(1);
  if (text.starts_with('.')) text.remove_prefix(1);
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.front() == '.' || text.back() == '.' ||
      text.find("..") != std::string_view::npos)
    return false;
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0 || (length == 1 && !is_name(text.substr(0, 1), true))) return false;
    text.remove_prefix(length);
  }
  return true;
}

// A host by `is_host_here`, and a port that may be left out.
template <class IsHost>
bool is_host_and_port(std::string_view text, bool port_needed, IsHost is_host_here) {
  const std::size_t colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && !text.ends_with(']');
  if (has_port && !is_port(text.substr(colon + 1))) return false;
  return (has_port || !port_needed) && is_host_here(text.substr(0, has_port ? colon : text.size()));
}

bool remove_scheme(std::string_view& text) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (text.starts_with(scheme)) {
      text.remove_prefix(scheme.size());
      return true;
    }
  return false;
}

bool is_origin_pattern(std::string_view text) {
  return remove_scheme(text) && is_host_and_port(text, false, is_host_pattern);
}

bool is_proxy(std::string_view text) {
  if (text.empty()) return true;
  if (!remove_scheme(text)) return false;
  const std::size_t at = text.rfind('@');
  const std::string_view credentials = text.substr(0, at == std::string_view::npos ? 0 : at);
  for (const char c : credentials)
    if (c <= ' ' || c == 0x7f || std::string_view("/?#@\\").find(c) != std::string_view::npos)
      return false;
  if (at != std::string_view::npos) text.remove_prefix(at + 1);
  return is_host_and_port(text, true, [](std::string_view host) {
    return is_bracketed_ipv6(host) || is_name(host, true);
  });
}

bool is_line(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 0 || first < 0x20 || first == 0x7f) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool is_method(std::string_view text) {
  constexpr std::array<std::string_view, 7> methods{"GET",   "HEAD",   "POST",   "PUT",
                                                    "PATCH", "DELETE", "OPTIONS"};
  return std::find(methods.begin(), methods.end(), text) != methods.end();
}

// A token by RFC 9110 §5.6.2.
bool is_header_name(std::string_view text) {
  return !text.empty() && text.size() <= 256 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_name(std::string_view(&c, 1), true) ||
           std::string_view("!#$%&'*+^`|~").find(c) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view text) {
  return !text.empty() && text.size() <= 8192 && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte >= 0x20 && byte != 0x7f;
         });
}

bool is_op_pattern(std::string_view text) {
  if (text.ends_with(".*")) text.remove_suffix(2);
  return text.size() <= 100 && is_name(text, true);
}

}  // namespace

bool matches(Form form, std::string_view text) {
  switch (form) {
    case Form::listen_address:
      return is_listen_address(text);
    case Form::listen_address_or_none:
      return text.empty() || is_listen_address(text);
    case Form::path:
      return is_line(text);
    case Form::network:
      return is_network(text);
    case Form::port:
      return is_port(text);
    case Form::host:
      return is_host(text);
    case Form::origin:
      return is_origin(text);
    case Form::name_server:
      return is_name_server(text);
    case Form::scheme:
      return text == "http" || text == "https";
    case Form::host_pattern:
      return is_host_pattern(text);
    case Form::origin_pattern:
      return is_origin_pattern(text);
    case Form::proxy:
      return is_proxy(text);
    case Form::line:
      return is_line(text);
    case Form::steps:
      return text.starts_with('[') && text.ends_with(']');
    case Form::method:
      return is_method(text);
    case Form::header_name:
      return is_header_name(text);
    case Form::header_value:
      return is_header_value(text);
    case Form::op_pattern:
      return is_op_pattern(text);
  }
  return false;
}

std::string_view expected(Form form) {
  return forms[static_cast<std::size_t>(form)].expected;
}

std::string_view placeholder(Form form) {
  return forms[static_cast<std::size_t>(form)].placeholder;
}

}  // namespace fetchmill::config
