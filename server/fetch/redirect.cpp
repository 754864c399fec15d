#include "server/fetch/redirect.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/beast/core/string.hpp>

namespace fetchmill::server::fetch {
namespace {

using boost::beast::iequals;

constexpr std::array<std::string_view, 13> harmless_fields{
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Cache-Control",
    "Content-Encoding",
    "Content-Language",
    "Content-Type",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Unmodified-Since",
    "Range",
    "User-Agent",
};

bool is_redirect(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool same_origin(const Url& a, const Url& b) {
  return a.scheme == b.scheme && a.host.text == b.host.text && a.port == b.port;
}

bool describes_body(std::string_view field_name) {
  constexpr std::string_view prefix = "Content-";
  return iequals(field_name.substr(0, prefix.size()), prefix);
}

}  // namespace

NextStep next_step(unsigned status, bool has_location, std::uint64_t redirects,
                   std::uint64_t redirects_max, std::span<const StatusRange> accepted) {
  const bool accept = accepts(accepted, status);
  if (is_redirect(status) && has_location && !(redirects_max == 0 && accept))
    return redirects < redirects_max ? NextStep::follow : NextStep::too_many_redirects;
  return accept ? NextStep::deliver : NextStep::refuse_status;
}

config::Result<std::string_view> location_of(const wire::Fields& fields) {
  const std::string_view location = fields.value(wire::FieldId::location);
  const bool all_agree = std::all_of(fields.begin(), fields.end(), [&](const wire::Field& field) {
    return field.id != wire::FieldId::location || field.value == location;
  });
  if (all_agree) return location;
  return config::Error(config::ErrorCode::upstream_protocol,
                       "the upstream's redirect has several Location fields that differ");
}

wire::Method redirected_method(unsigned status, wire::Method method) {
  const bool post_becomes_get = (status == 301 || status == 302) && method == wire::Method::post;
  const bool asks_to_get = status == 303 && method != wire::Method::head;
  return post_becomes_get || asks_to_get ? wire::Method::get : method;
}

bool crosses_origins(std::string_view field_name) {
  return std::any_of(harmless_fields.begin(), harmless_fields.end(),
                     [&](std::string_view harmless) { return iequals(harmless, field_name); });
}

config::Result<void> redirect(FetchRequest& request, unsigned status, Url to) {
  const wire::Method method = redirected_method(status, request.method);
  if (method != request.method) {
    request.method = method;
    request.body.clear();
    std::erase_if(request.headers,
                  [](const Header& header) { return describes_body(header.name); });
  }
  if (request.url.is_https() && !to.is_https() && !request.body.empty())
    return config::Error(config::ErrorCode::url_denied,
                         "a redirect from https to http would send the request's body unencrypted");
  // The cache's conditions are about what it stored of this URL.
  if (std::exchange(request.revalidates, false))
    std::erase_if(request.headers, [](const Header& header) {
      return iequals(header.name, "If-None-Match") || iequals(header.name, "If-Modified-Since");
    });
  if (!same_origin(request.url, to))
    std::erase_if(request.headers,
                  [](const Header& header) { return !crosses_origins(header.name); });
  request.url = std::move(to);
  return {};
}

}  // namespace fetchmill::server::fetch
