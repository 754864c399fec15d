#include "handlers/inherited_caching.hpp"

#include "server/fetch/cache/freshness.hpp"
#include "server/http/message.hpp"

namespace fetchmill::handlers {
namespace {

namespace cache = server::fetch::cache;
using std::chrono::seconds;

void append_directive(std::string& to, std::string_view directive) {
  if (!to.empty()) to += ", ";
  to += directive;
}

void append_directive(std::string& to, std::string_view name, seconds value) {
  append_directive(to, name);
  to += '=';
  to += std::to_string(value.count());
}

}  // namespace

void append_caching(std::string& headers, const server::fetch::FetchResponse& response,
                    bool is_private, std::chrono::sys_seconds now) {
  using server::http::append_field_line;
  const cache::ResponseFields fields = cache::read_response_fields(response.head);
  const cache::CacheControl& said = fields.control;
  if (said.no_store) return append_field_line(headers, "Cache-Control", "no-store");

  is_private = is_private || said.is_private;
  std::string control;
  if (is_private) append_directive(control, "private");
  const auto lifetime = cache::private_lifetime(fields, now);
  const auto shared_lifetime = is_private ? std::nullopt : said.s_maxage;
  const bool says_how_long = lifetime || shared_lifetime;
  if (said.no_cache || response.redirects > 0 || !says_how_long) {
    append_directive(control, "no-cache");
  } else {
    if (lifetime) append_directive(control, "max-age", *lifetime);
    if (shared_lifetime) append_directive(control, "s-maxage", *shared_lifetime);
    if (said.must_revalidate) append_directive(control, "must-revalidate");
  }
  append_field_line(headers, "Cache-Control", control);

  const auto delay = response.timings.ttfb.value_or(server::Clock::duration(0));
  const seconds age = response.cache.age.value_or(cache::age_on_arrival(fields, now, delay));
  if (response.cache.age || age > seconds(0))
    append_field_line(headers, "Age", std::to_string(age.count()));
}

}  // namespace fetchmill::handlers
