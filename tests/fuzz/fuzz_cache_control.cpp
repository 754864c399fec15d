// links: fetchmill_cache_rules
// Any bytes as Cache-Control, as Vary and as the fields of a head: no fault, numbers within bounds,
// and what forbids is never lost by what stands behind it.
#include "server/fetch/cache/freshness.hpp"
#include "server/fetch/cache/stored_head.hpp"
#include "server/fetch/cache/vary.hpp"
#include "tests/support/fuzz_check.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

using namespace fetchmill::server::fetch;
using namespace fetchmill::server::fetch::cache;
using fetchmill::server::TimePoint;
using fetchmill::support::check;

namespace {

void check_bounds(const CacheControl& control) {
  for (const auto& value : {control.max_age, control.s_maxage, control.stale_while_revalidate,
                            control.stale_if_error, control.min_fresh, control.max_stale})
    check(!value || (value->count() >= 0 && *value <= delta_seconds_max), "seconds within bounds");
}

void check_control(std::string_view text) {
  CacheControl control;
  read_cache_control(text, control);
  check_bounds(control);
  CacheControl more = control;
  read_cache_control("no-store, private, max-age=1", more);
  check(more.no_store && more.is_private, "what comes later counts too");
  check(more.max_age && *more.max_age <= seconds(1), "never more than any line allows");
  CacheControl twice = control;
  read_cache_control(text, twice);
  check(twice == control, "said twice is said once");
}

// What was noted when the head was set is what a scan finds.
void check_known_fields(const UpstreamHead& head) {
  for (std::size_t i = 0; i < known_field_ids.size(); ++i) {
    const auto field = static_cast<KnownField>(i);
    check(head.list(field) == head.list(to_string(field)), "the same lines");
  }
}

void check_head(std::string_view fields) {
  const auto head = UpstreamHead::parse("HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n\r\n");
  if (!head) return;
  check_known_fields(*head);
  const ResponseFields read = read_response_fields(*head);
  check_bounds(read.control);
  const TimePoint now = TimePoint(std::chrono::hours(1));
  const auto kept = storable({.status = 200,
                              .fields = read,
                              .has_validator = has_validator(*head),
                              .received = now,
                              .today = std::chrono::sys_seconds(std::chrono::hours(300'000))});
  if (kept) {
    check(!read.control.is_private, "private answers are not stored");
    check(kept->lifetime.count() >= 0 && kept->lifetime <= delta_seconds_max, "a lifetime");
    check(age(*kept, now).count() >= 0 && age(*kept, now) <= delta_seconds_max, "an age");
    if (judge_reuse(*kept, {}, now) == Reuse::fresh)
      check(time_to_live(*kept, now).count() > 0, "fresh has time left");
  }
  const auto updated = updated_head(*head, *head);
  check(!updated || updated->text().ends_with("\r\n\r\n"), "a whole head");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_control(text);
  if (const auto names = parse_vary(text)) {
    check(names->size() <= vary_names_max, "so many names");
    check(std::ranges::is_sorted(*names), "in order");
  }
  check_head(text);
  return 0;
}
