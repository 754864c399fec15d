#include "server/fetch/cache/response_fields.hpp"

#include "config/ascii.hpp"
#include "server/fetch/validators.hpp"

namespace fetchmill::server::fetch::cache {
ResponseFields read_response_fields(const UpstreamHead& head) {
  ResponseFields fields;
  head.for_each(KnownField::cache_control,
                [&](std::string_view value) { read_cache_control(value, fields.control); });
  fields.vary = head.list(KnownField::vary);
  // Two of them contradict each other: none is a date.
  if (head.has(KnownField::expires))
    fields.expires =
        head.repeats(KnownField::expires) ? std::string_view() : head.field(KnownField::expires);
  fields.date = head.field(KnownField::date);
  // Of a list the first counts (§5.1).
  const std::string_view age = head.field(KnownField::age);
  fields.age = ascii::trimmed(age.substr(0, age.find(',')));
  fields.has_set_cookie = head.has(KnownField::set_cookie);
  return fields;
}

bool has_validator(const UpstreamHead& head) {
  return !entity_tag(head).empty() || !last_modified(head).empty();
}

bool says_how_long(const UpstreamHead& head) {
  return head.has(KnownField::cache_control) || head.has(KnownField::expires);
}

bool weakly_equal(std::string_view etag, std::string_view other) {
  const auto opaque = [](std::string_view tag) {
    return tag.starts_with("W/") ? tag.substr(2) : tag;
  };
  return opaque(etag) == opaque(other);
}

}  // namespace fetchmill::server::fetch::cache
