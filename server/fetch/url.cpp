#include "server/fetch/url.hpp"

#include "config/append.hpp"
#include "config/ascii.hpp"
#include "config/whole_number.hpp"
#include "server/fetch/url_percent.hpp"

#include <algorithm>
#include <utility>

// The state machine of the standard's "basic URL parser", cut down to special schemes other than
// "file" and written as one function per group of states.
namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

constexpr ByteSet slashes("/\\");
constexpr ByteSet authority_ends("/\\?#");
constexpr ByteSet path_ends("?#");
constexpr ByteSet altered_in_path = ByteSet(path_set).add('\\', '\\');

bool is_slash(char c) {
  return slashes.has(c);
}

// The standard's preparation: C0 controls and spaces off both ends, tabs and newlines out.
// `buffer` holds what is returned where anything had to go out.
std::string_view cleaned(std::string_view text, std::string& buffer) {
  const auto is_outer = [](char c) { return static_cast<unsigned char>(c) <= 0x20; };
  while (!text.empty() && is_outer(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_outer(text.back())) text.remove_suffix(1);
  constexpr std::string_view dropped = "\t\n\r";
  const auto is_there = [text](char c) { return text.find(c) != std::string_view::npos; };
  if (std::ranges::none_of(dropped, is_there)) return text;
  buffer = text;
  std::erase_if(buffer, [&](char c) { return dropped.find(c) != std::string_view::npos; });
  return buffer;
}

// "scheme start" and "scheme": the scheme, in any case, taken off `text` with its colon; or empty.
std::string_view take_scheme(std::string_view& text) {
  if (text.empty() || !ascii::is_letter(text.front())) return {};
  const auto is_of_scheme = [](char c) {
    return ascii::is_alphanumeric(c) || c == '+' || c == '-' || c == '.';
  };
  const auto end = std::ranges::find_if_not(text, is_of_scheme);
  if (end == text.end() || *end != ':') return {};
  const std::string_view scheme(text.begin(), end);
  text.remove_prefix(scheme.size() + 1);
  return scheme;
}

std::string_view skip_slashes(std::string_view text) {
  while (!text.empty() && is_slash(text.front())) text.remove_prefix(1);
  return text;
}

// A dot segment may be spelt with "%2e".
bool is_dots(std::string_view segment, std::size_t dots_wanted) {
  std::size_t dots = 0;
  while (!segment.empty()) {
    if (segment.front() == '.') {
      segment.remove_prefix(1);
    } else if (segment.starts_with("%2e") || segment.starts_with("%2E")) {
      segment.remove_prefix(3);
    } else {
      return false;
    }
    ++dots;
  }
  return dots == dots_wanted;
}

// What stands behind the first of these delimiters; empty where there is none.
std::optional<std::string_view> behind(std::string_view text, char delimiter) {
  const std::size_t at = text.find(delimiter);
  if (at == std::string_view::npos) return std::nullopt;
  return text.substr(at + 1);
}

void drop_last_segment(std::string& path) {
  path.resize(std::min(path.size(), path.rfind('/')));
}

// Whether the standard leaves a path as it is: nothing in it is encoded or a backslash, and no
// segment begins as those of dots do. So are most, and one look is cheaper than one at each
// segment.
bool is_plain_path(std::string_view path) {
  if (!path.starts_with('/')) return false;
  char before = '\0';
  for (const char c : path) {
    if (altered_in_path.has(c) || (before == '/' && (c == '.' || c == '%'))) return false;
    before = c;
  }
  return true;
}

// "path", from behind the slash that begins a segment up to the query or fragment.
void read_path(std::string& path, std::string_view text) {
  for (;;) {
    const std::size_t end = slashes.first_in(text);
    const std::string_view segment = text.substr(0, end);
    const bool last = end == text.size();
    if (is_dots(segment, 2)) {
      drop_last_segment(path);
      if (last) path += '/';
    } else if (is_dots(segment, 1)) {
      if (last) path += '/';
    } else {
      path += '/';
      append_percent_encoded(path, segment, path_set);
    }
    if (last) return;
    text.remove_prefix(end + 1);
  }
}

// "query" and "fragment"; `text` begins with "?" or "#" or is empty.
void read_query_and_fragment(Url& url, std::string_view text) {
  if (text.starts_with('?')) {
    const std::size_t end = std::min(text.size(), text.find('#'));
    url.tail += '?';
    append_percent_encoded(url.tail, text.substr(1, end - 1), special_query_set);
    text.remove_prefix(end);
  }
  if (text.starts_with('#')) {
    url.tail += '#';
    append_percent_encoded(url.tail, text.substr(1), fragment_set);
  }
}

// Everything from the path on, behind the path that the tail has; `text` may begin with a slash.
void read_path_and_rest(Url& url, std::string_view text) {
  const std::size_t end = path_ends.first_in(text);
  std::string_view path = text.substr(0, end);
  if (is_plain_path(path)) {
    url.tail += path;
  } else {
    if (!path.empty() && is_slash(path.front())) path.remove_prefix(1);
    read_path(url.tail, path);
  }
  read_query_and_fragment(url, text.substr(end));
}

// "port". Keeps the scheme's default when `text` is empty.
config::Result<std::uint16_t> read_port(std::string_view text, std::uint16_t fallback) {
  if (text.empty()) return fallback;
  const auto port = config::parse_whole_number<std::uint16_t>(text);
  if (!port) return Error(ErrorCode::url_denied, "the URL's port is not a number from 0 to 65535");
  return *port;
}

// Where the ":" before the port stands, or the end. One within brackets is of an address.
std::size_t end_of_host(std::string_view text) {
  if (text.find('[') == std::string_view::npos) return std::min(text.find(':'), text.size());
  std::size_t end = 0;
  for (bool in_brackets = false; end < text.size(); ++end) {
    const char c = text[end];
    if (c == ':' && !in_brackets) break;
    if (c == '[') in_brackets = true;
    if (c == ']') in_brackets = false;
  }
  return end;
}

void read_userinfo(Url& url, std::string_view text) {
  const std::size_t colon = text.find(':');
  url.userinfo = true;
  append_percent_encoded(url.credentials, text.substr(0, colon), userinfo_set);
  if (colon != std::string_view::npos && colon + 1 < text.size()) {
    url.credentials += ':';
    append_percent_encoded(url.credentials, text.substr(colon + 1), userinfo_set);
  }
}

// "authority", "host" and "port". The last "@" ends the userinfo.
config::Result<void> read_authority(Url& url, std::string_view text) {
  // Most have no userinfo, and rfind goes byte by byte.
  if (text.find('@') != std::string_view::npos) {
    const std::size_t end = text.rfind('@');
    read_userinfo(url, text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  const std::size_t host_end = end_of_host(text);
  if (host_end == 0) return Error(ErrorCode::url_denied, "the URL has no host");
  auto host = parse_host(text.substr(0, host_end));
  if (!host) return host.error();
  url.host = std::move(*host);
  text.remove_prefix(std::min(text.size(), host_end + 1));
  const auto port = read_port(text, url.is_https() ? 443 : 80);
  if (!port) return port.error();
  url.port = *port;
  return {};
}

// From the authority on.
config::Result<void> read_from_authority(Url& url, std::string_view text) {
  const std::size_t end = authority_ends.first_in(text);
  auto read = read_authority(url, text.substr(0, end));
  if (!read) return read;
  url.tail.reserve(text.size() - end + 1);  // enough where nothing is encoded
  read_path_and_rest(url, text.substr(end));
  return read;
}

// "relative" and "relative slash".
config::Result<void> read_relative(Url& url, const Url& base, std::string_view text) {
  if (text.size() >= 2 && is_slash(text[0]) && is_slash(text[1])) {
    url.scheme = base.scheme;
    return read_from_authority(url, skip_slashes(text));
  }
  url = base;
  const bool keeps_path = text.empty() || text.front() == '?' || text.front() == '#';
  if (keeps_path) {
    url.tail = text.starts_with('?') ? base.path() : base.request_target();
    read_query_and_fragment(url, text);
    return {};
  }
  url.tail.clear();
  if (!is_slash(text.front())) {
    url.tail = base.path();
    drop_last_segment(url.tail);
  }
  read_path_and_rest(url, text);
  return {};
}

config::Result<void> read_url(Url& url, std::string_view raw, const Url* base) {
  std::string buffer;
  std::string_view text = cleaned(raw, buffer);
  const std::string_view name = take_scheme(text);
  if (name.empty()) {
    if (base != nullptr) return read_relative(url, *base, text);
    return Error(ErrorCode::invalid_request,
                 text.empty() ? "the URL is empty" : "the URL is not absolute: it has no scheme");
  }
  const bool is_https = ascii::equals_ignoring_case(name, "https");
  if (!is_https && !ascii::equals_ignoring_case(name, "http")) {
    constexpr std::size_t shown_bytes_max = 32;
    return Error(ErrorCode::url_denied, "the scheme \"" +
                                            ascii::to_lower(name.substr(0, shown_bytes_max)) +
                                            "\" is not allowed, only http and https are");
  }
  url.scheme = is_https ? Scheme::https : Scheme::http;
  // "special relative or authority": "http:path" is relative to a base of the same scheme.
  if (base != nullptr && base->scheme == url.scheme && !text.starts_with("//"))
    return read_relative(url, *base, text);
  return read_from_authority(url, skip_slashes(text));
}

// Filled where it is returned: what holds strings is not cheap to move.
config::Result<Url> parse(std::string_view text, const Url* base) {
  config::Result<Url> url;
  if (auto read = read_url(*url, text, base); !read) url = std::move(read).error();
  return url;
}

}  // namespace

std::string_view to_string(Scheme scheme) {
  return scheme == Scheme::https ? "https" : "http";
}

std::string_view prefix(Scheme scheme) {
  return scheme == Scheme::https ? "https://" : "http://";
}

std::string_view Url::username() const {
  return std::string_view(credentials).substr(0, credentials.find(':'));
}

std::string_view Url::password() const {
  return behind(credentials, ':').value_or(std::string_view());
}

std::string_view Url::path() const {
  const std::string_view target = request_target();
  return target.substr(0, target.find('?'));
}

std::optional<std::string_view> Url::query() const {
  return behind(request_target(), '?');
}

std::optional<std::string_view> Url::fragment() const {
  return behind(tail, '#');
}

std::string_view Url::request_target() const {
  return std::string_view(tail).substr(0, tail.find('#'));
}

std::string Url::href() const {
  const std::string_view at = credentials.empty() ? "" : "@";
  std::string out;
  config::append(out, prefix(scheme), credentials, at, host.text, port_suffix(), tail);
  return out;
}

std::string Url::host_header() const {
  std::string out;
  config::append(out, host.text, port_suffix());
  return out;
}

config::Result<Url> parse_url(std::string_view text) {
  return parse(text, nullptr);
}

config::Result<Url> resolve_url(const Url& base, std::string_view reference) {
  return parse(reference, &base);
}

}  // namespace fetchmill::server::fetch
