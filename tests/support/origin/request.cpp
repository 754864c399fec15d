#include "tests/support/origin/request.hpp"

#include <algorithm>
#include <charconv>

#include <strings.h>

namespace fetchmill::tests::origin {
namespace {

constexpr std::size_t head_bytes_max = 256 * 1024;
constexpr std::size_t request_bytes_max = 64 * 1024 * 1024;

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i] + 3, value, 16).ptr == &text[i] + 3) {
      out.push_back(static_cast<char>(value));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

void split_target(Request& request) {
  const std::string_view target = request.target;
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark == std::string_view::npos) return;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    request.query.emplace_back(
        percent_decoded(pair.substr(0, equals)),
        equals == std::string_view::npos ? "" : percent_decoded(pair.substr(equals + 1)));
  }
}

bool parse_head(std::string_view head, Request& request) {
  std::size_t end = head.find("\r\n");
  const std::string_view line = head.substr(0, end);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return false;
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  request.keep_alive = line.substr(last + 1) == "HTTP/1.1";
  while (end != std::string_view::npos) {
    head.remove_prefix(end + 2);
    end = head.find("\r\n");
    const std::string_view field = head.substr(0, end);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos) return false;
    request.headers.emplace_back(field.substr(0, colon), trimmed(field.substr(colon + 1)));
  }
  if (same_name(request.header("connection"), "close")) request.keep_alive = false;
  split_target(request);
  return true;
}

// Decodes the chunks that begin at `position` and moves it behind them.
ParseStatus take_chunks(std::string_view buffer, std::size_t& position, std::string& body) {
  for (;;) {
    const std::size_t line_end = buffer.find("\r\n", position);
    if (line_end == std::string_view::npos) return ParseStatus::incomplete;
    std::uint64_t size = 0;
    const auto parsed = std::from_chars(&buffer[position], buffer.data() + line_end, size, 16);
    if (parsed.ec != std::errc{} || size > request_bytes_max - body.size()) {
      return ParseStatus::invalid;
    }
    if (size == 0) {
      // Trailers end with an empty line, which is the size line's own end when there are none.
      const std::size_t end = buffer.find("\r\n\r\n", line_end);
      if (end == std::string_view::npos) return ParseStatus::incomplete;
      position = end + 4;
      return ParseStatus::complete;
    }
    if (buffer.size() < line_end + 2 + size + 2) return ParseStatus::incomplete;
    body.append(buffer.substr(line_end + 2, size));
    position = line_end + 2 + size + 2;
  }
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (same_name(key, name)) return value;
  }
  return {};
}

std::string_view Request::parameter(std::string_view name, std::string_view otherwise) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return otherwise;
}

std::uint64_t Request::number(std::string_view name, std::uint64_t otherwise) const {
  const std::string_view text = parameter(name);
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc{} && !text.empty() ? value : otherwise;
}

ParseStatus take_request(std::string& buffer, Request& request) {
  const std::size_t head_end = buffer.find("\r\n\r\n");
  if (head_end == std::string::npos) {
    return buffer.size() > head_bytes_max ? ParseStatus::invalid : ParseStatus::incomplete;
  }
  request = Request{};
  if (!parse_head(std::string_view(buffer).substr(0, head_end), request)) {
    return ParseStatus::invalid;
  }
  std::size_t position = head_end + 4;
  if (same_name(request.header("transfer-encoding"), "chunked")) {
    const ParseStatus status = take_chunks(buffer, position, request.body);
    if (status != ParseStatus::complete) return status;
  } else if (const std::string_view length = request.header("content-length"); !length.empty()) {
    std::uint64_t size = 0;
    const auto parsed = std::from_chars(length.data(), length.data() + length.size(), size);
    if (parsed.ec != std::errc{} || size > request_bytes_max) return ParseStatus::invalid;
    if (buffer.size() - position < size) return ParseStatus::incomplete;
    request.body = buffer.substr(position, size);
    position += size;
  }
  buffer.erase(0, position);
  return ParseStatus::complete;
}

}  // namespace fetchmill::tests::origin
