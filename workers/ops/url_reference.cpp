#include "workers/ops/url_reference.hpp"

#include "config/ascii.hpp"
#include "config/whole_number.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include <arpa/inet.h>

namespace fetchmill::workers::ops {
namespace {

constexpr std::string_view in_path = " \"#<>?`{}^";
constexpr std::string_view in_query = " \"#<>'";
constexpr std::string_view in_fragment = " \"<>`";

struct Parts {
  std::string scheme;  // "http" or "https"
  std::string authority;
  std::string path;                     // starts with "/"
  std::optional<std::string> query;     // without "?"
  std::optional<std::string> fragment;  // without "#"
};

std::string encoded(std::string_view text, std::string_view set) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && set.find(c) == std::string_view::npos) {
      out += c;
      continue;
    }
    out += '%';
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
  return out;
}

// Without control characters and spaces around it, and without tabs and line ends inside.
std::string cleaned(std::string_view text) {
  const auto outer = [](char c) { return static_cast<unsigned char>(c) <= 0x20; };
  while (!text.empty() && outer(text.front())) text.remove_prefix(1);
  while (!text.empty() && outer(text.back())) text.remove_suffix(1);
  std::string out;
  for (const char c : text)
    if (c != '\t' && c != '\n' && c != '\r') out += c;
  return out;
}

// The length of "scheme:" at the start, or 0.
std::size_t scheme_length(std::string_view text) {
  if (text.empty() || !ascii::is_letter(text.front())) return 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ':') return i + 1;
    if (!ascii::is_alphanumeric(c) && c != '+' && c != '-' && c != '.') return 0;
  }
  return 0;
}

bool is_slash(char c) {
  return c == '/' || c == '\\';
}

bool begins_authority(std::string_view text) {
  return text.size() >= 2 && is_slash(text[0]) && is_slash(text[1]);
}

// "." and ".." in their spellings.
unsigned dots(std::string_view segment) {
  std::string plain;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment.substr(i, 2) == "%2" && i + 2 < segment.size() &&
        ascii::to_lower(segment[i + 2]) == 'e') {
      plain += '.';
      i += 2;
    } else {
      plain += segment[i];
    }
  }
  return plain == "." ? 1 : plain == ".." ? 2 : 0;
}

// `path` starts with a slash.
std::string without_dots(std::string_view path) {
  std::vector<std::string_view> kept;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = path.substr(at + 1, end - at - 1);
    const unsigned count = dots(segment);
    if (count == 2 && !kept.empty()) kept.pop_back();
    if (count == 0) kept.push_back(segment);
    if (count != 0 && end == path.size()) kept.emplace_back();
    at = end;
  }
  std::string out;
  for (const std::string_view segment : kept) {
    out += '/';
    out += segment;
  }
  return out.empty() ? "/" : out;
}

// "user:password@"; what is empty leaves nothing.
std::string credentials(std::string_view text) {
  constexpr std::string_view in_either = "/:;=@[\\]^|\"#<>?`{}";
  const std::size_t colon = std::min(text.find(':'), text.size());
  std::string out = encoded(text.substr(0, colon), in_either);
  if (colon + 1 < text.size()) out += ':' + encoded(text.substr(colon + 1), in_either);
  return out.empty() ? out : out + '@';
}

bool is_good_host(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) {
    in6_addr address;
    return ::inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &address) ==
           1;
  }
  return !host.empty() && std::ranges::none_of(host, [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f ||
           std::string_view("#/<>?@[\\]^|%").find(c) != std::string_view::npos;
  });
}

// "user@HOST:port", in the standard's form; nothing when it is malformed.
std::optional<std::string> authority(std::string_view text, std::string_view scheme) {
  std::string out;
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    out = credentials(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  const std::size_t bracket = text.find(']');
  const std::size_t colon =
      text.find(':', text.starts_with('[') && bracket != std::string_view::npos ? bracket : 0);
  const std::string_view host = text.substr(0, colon);
  if (!is_good_host(host)) return std::nullopt;
  out += ascii::to_lower(host);
  if (colon == std::string_view::npos || colon + 1 == text.size()) return out;
  const auto port = config::parse_whole_number<std::uint16_t>(text.substr(colon + 1));
  if (!port) return std::nullopt;
  if (*port != (scheme == "https" ? 443 : 80)) out += ':' + std::to_string(*port);
  return out;
}

// Takes "?query#fragment" off the end of `text`.
void take_tail(std::string_view& text, Parts& parts) {
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
    parts.fragment = encoded(text.substr(hash + 1), in_fragment);
    text = text.substr(0, hash);
  }
  if (const std::size_t mark = text.find('?'); mark != std::string_view::npos) {
    parts.query = encoded(text.substr(mark + 1), in_query);
    text = text.substr(0, mark);
  }
}

std::string with_slashes(std::string_view path) {
  std::string out(path);
  std::ranges::replace(out, '\\', '/');
  return out;
}

// What follows "scheme:" and any number of slashes.
std::optional<Parts> absolute(std::string_view scheme, std::string_view rest) {
  Parts parts;
  parts.scheme = scheme;
  while (!rest.empty() && is_slash(rest.front())) rest.remove_prefix(1);
  take_tail(rest, parts);
  const std::size_t end = std::min(rest.find_first_of("/\\"), rest.size());
  auto found = authority(rest.substr(0, end), scheme);
  if (!found) return std::nullopt;
  parts.authority = std::move(*found);
  const std::string path = with_slashes(rest.substr(end));
  parts.path = encoded(without_dots(path.empty() ? "/" : path), in_path);
  return parts;
}

std::optional<Parts> relative(const Parts& base, std::string_view rest) {
  Parts parts;
  take_tail(rest, parts);
  if (begins_authority(rest)) {
    auto found = absolute(base.scheme, rest);
    if (!found) return std::nullopt;
    found->query = parts.query;
    found->fragment = parts.fragment;
    return found;
  }
  parts.scheme = base.scheme;
  parts.authority = base.authority;
  if (rest.empty()) {
    parts.path = base.path;
    if (!parts.query) parts.query = base.query;
    return parts;
  }
  const std::string path = encoded(with_slashes(rest), in_path);
  const std::string folder = base.path.substr(0, base.path.rfind('/') + 1);
  parts.path = without_dots(path.starts_with('/') ? path : folder + path);
  return parts;
}

std::string joined(const Parts& parts) {
  std::string out = parts.scheme + "://" + parts.authority + parts.path;
  if (parts.query) out += '?' + *parts.query;
  if (parts.fragment) out += '#' + *parts.fragment;
  return out;
}

// "http" or "https" when `text` begins with that scheme.
std::string_view web_scheme(std::string_view text) {
  const std::string scheme = ascii::to_lower(text.substr(0, scheme_length(text)));
  return scheme == "http:" ? "http" : scheme == "https:" ? "https" : "";
}

}  // namespace

std::string resolve_reference(std::string_view base, std::string_view reference) {
  const std::string text = cleaned(reference);
  const std::size_t scheme = scheme_length(text);
  const std::string_view web = web_scheme(text);
  if (scheme > 0 && web.empty()) return encoded(text, " \"<>");
  const std::string base_text = cleaned(base);
  const std::string_view base_web = web_scheme(base_text);
  const std::string_view rest = std::string_view(text).substr(scheme);
  // "http:page" and "http:/page" are relative when the base has the same scheme.
  const bool is_absolute = scheme > 0 && (web != base_web || begins_authority(rest));
  std::optional<Parts> parts;
  if (is_absolute) {
    parts = absolute(web, rest);
  } else if (!base_web.empty()) {
    const auto base_parts = absolute(base_web, base_text.substr(scheme_length(base_text)));
    if (base_parts) parts = relative(*base_parts, rest);
  }
  return parts ? joined(*parts) : std::string();
}

std::string base_url_fault(std::string_view text) {
  return resolve_reference(text, "x").empty() ? "must be an absolute http or https URL" : "";
}

}  // namespace fetchmill::workers::ops
