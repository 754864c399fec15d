#include "handlers/media_type.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <charconv>

namespace fetchmill::handlers {
namespace {

// Takes the part before the next `separator` off the front of `rest`.
std::string_view next_part(std::string_view& rest, char separator) {
  const std::string_view part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  return ascii::trimmed(part, " \t");
}

double quality(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = next_part(parameters, ';');
    if (parameter.size() < 2 || ascii::to_lower(parameter[0]) != 'q' || parameter[1] != '=')
      continue;
    double value = 0;
    std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), value);
    return value;
  }
  return 1;
}

// As Acceptance has it.
int closeness(std::string_view range, std::string_view type) {
  if (ascii::equals_ignoring_case(range, type)) return 3;
  if (range == "*/*") return 1;
  if (range.ends_with("/*") && type.size() >= range.size() &&
      ascii::equals_ignoring_case(range.substr(0, range.size() - 1),
                                  type.substr(0, range.size() - 1)))
    return 2;
  return 0;
}

}  // namespace

bool is_media_type(std::string_view value, std::string_view type) {
  return ascii::equals_ignoring_case(ascii::trimmed(value.substr(0, value.find(';')), " \t"), type);
}

config::Result<void> require_plain(const server::http::Request& request) {
  const std::string_view coding = request.field(server::wire::FieldId::content_encoding);
  if (coding.empty() || ascii::equals_ignoring_case(coding, "identity")) return {};
  return config::Error(
      config::ErrorCode::unsupported_media_type,
      "send the body without a Content-Encoding, not '" + std::string(coding.substr(0, 100)) + "'");
}

config::Result<void> require_json(const server::http::Request& request) {
  if (config::Result<void> plain = require_plain(request); !plain) return plain.error();
  const std::string_view type = request.field(server::wire::FieldId::content_type);
  if (type.empty() || is_media_type(type, "application/json")) return {};
  return config::Error(
      config::ErrorCode::unsupported_media_type,
      "send the body as application/json, not '" + std::string(type.substr(0, 100)) + "'");
}

Acceptance acceptance(std::string_view accept, std::string_view type) {
  Acceptance closest;
  while (!accept.empty()) {
    std::string_view parameters = next_part(accept, ',');
    const std::string_view range = next_part(parameters, ';');
    const int close = closeness(range, type);
    if (close > closest.closeness) closest = {close, quality(parameters)};
  }
  return closest;
}

std::optional<std::size_t> negotiate(std::string_view accept,
                                     std::span<const std::string_view> offers) {
  if (ascii::trimmed(accept, " \t").empty()) return 0;
  std::optional<std::size_t> best;
  double best_quality = 0;
  for (std::size_t i = 0; i < offers.size(); ++i) {
    const double offered = acceptance(accept, offers[i]).quality;
    if (offered > best_quality) {
      best = i;
      best_quality = offered;
    }
  }
  return best;
}

}  // namespace fetchmill::handlers
