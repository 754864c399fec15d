#include "server/fetch/cache/freshness.hpp"

#include "server/fetch/http_date.hpp"

#include <algorithm>

namespace fetchmill::server::fetch::cache {
namespace {

bool is_understood(unsigned status) {
  return std::ranges::find(storable_statuses, status) != storable_statuses.end();
}

seconds capped(seconds value) {
  return std::clamp(value, seconds(0), delta_seconds_max);
}

std::chrono::sys_seconds date_of(const ResponseFields& fields, std::chrono::sys_seconds today) {
  return parse_http_date(fields.date, today).value_or(today);
}

std::optional<seconds> until_expires(const ResponseFields& fields, std::chrono::sys_seconds today) {
  if (!fields.expires) return std::nullopt;
  const auto expires = parse_http_date(*fields.expires, today);
  return expires ? capped(*expires - date_of(fields, today)) : seconds(0);
}

// §4.2.1. Empty: the answer does not say.
std::optional<seconds> lifetime_of(const ResponseFields& fields, std::chrono::sys_seconds today) {
  if (fields.control.s_maxage) return fields.control.s_maxage;
  if (fields.control.max_age) return fields.control.max_age;
  return until_expires(fields, today);
}

bool is_forbidden(const Arrival& arrival) {
  const CacheControl& control = arrival.fields.control;
  if (!is_understood(arrival.status) || control.is_private || arrival.fields.has_set_cookie)
    return true;
  if (control.no_store && !control.must_understand) return true;
  const bool is_for_all = control.is_public || control.must_revalidate || control.s_maxage;
  return arrival.credentials_sent && !is_for_all;
}

}  // namespace

seconds age_on_arrival(const ResponseFields& fields, std::chrono::sys_seconds today,
                       Clock::duration delay) {
  const seconds apparent = capped(today - date_of(fields, today));
  const seconds said = parse_delta_seconds(fields.age).value_or(seconds(0));
  return std::max(apparent, capped(said + std::chrono::round<seconds>(delay)));
}

std::optional<seconds> private_lifetime(const ResponseFields& fields,
                                        std::chrono::sys_seconds today) {
  if (fields.control.max_age) return fields.control.max_age;
  return until_expires(fields, today);
}

seconds age(const Freshness& freshness, TimePoint now) {
  const auto resident = std::chrono::floor<seconds>(now - freshness.received);
  return freshness.age_at_first + std::max(resident, seconds(0));
}

std::optional<Freshness> storable(const Arrival& arrival) {
  if (is_forbidden(arrival)) return std::nullopt;
  const CacheControl& control = arrival.fields.control;
  const std::optional<seconds> lifetime = lifetime_of(arrival.fields, arrival.today);
  if (!lifetime && !control.no_cache) return std::nullopt;
  Freshness freshness;
  freshness.lifetime = lifetime.value_or(seconds(0));
  freshness.age_at_first = age_on_arrival(arrival.fields, arrival.today, arrival.delay);
  freshness.received = arrival.received;
  freshness.must_validate = control.no_cache;
  freshness.never_stale = control.must_revalidate || control.proxy_revalidate || control.s_maxage;
  freshness.stale_while_revalidate = control.stale_while_revalidate.value_or(seconds(0));
  freshness.stale_if_error = control.stale_if_error.value_or(seconds(0));
  const bool is_fresh = !control.no_cache && freshness.lifetime > freshness.age_at_first;
  const bool stale_use =
      !control.no_cache && !freshness.never_stale &&
      std::max(freshness.stale_while_revalidate, freshness.stale_if_error) > seconds(0);
  if (!is_fresh && !stale_use && !arrival.has_validator) return std::nullopt;
  return freshness;
}

Reuse judge_reuse(const Freshness& freshness, const CacheControl& asked, TimePoint now) {
  if (freshness.must_validate || asked.no_cache) return Reuse::validate;
  const seconds left = time_to_live(freshness, now);
  if (asked.max_age && age(freshness, now) > *asked.max_age) return Reuse::validate;
  if (asked.min_fresh && left < *asked.min_fresh) return Reuse::validate;
  if (left > seconds(0)) return Reuse::fresh;
  if (freshness.never_stale) return Reuse::validate;
  if (asked.max_stale && -left <= *asked.max_stale) return Reuse::stale;
  if (-left < freshness.stale_while_revalidate) return Reuse::stale_while_revalidate;
  return Reuse::validate;
}

bool usable_on_error(const Freshness& freshness, const CacheControl& asked, TimePoint now) {
  if (freshness.must_validate || freshness.never_stale || asked.no_cache) return false;
  const seconds window =
      std::max(freshness.stale_if_error, asked.stale_if_error.value_or(seconds(0)));
  return window > seconds(0) && -time_to_live(freshness, now) < window;
}

bool is_server_error(unsigned status) {
  return status == 500 || status == 502 || status == 503 || status == 504;
}

}  // namespace fetchmill::server::fetch::cache
