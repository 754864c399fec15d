// Dates as feeds write them, to RFC 3339 in UTC.
//
// Read are RFC 822 and its successors ("Sat, 07 Sep 2002 00:00:01 GMT"; the weekday is not looked
// at, years may have two digits) and RFC 3339 with what ISO 8601 and W3C's profile leave out:
// seconds, the time, day and month, the zone (then UTC).
// Process: any. Pure.
#pragma once

#include <string>
#include <string_view>

namespace fetchmill::workers::ops {

// "2002-09-07T00:00:01Z", with the fraction as written; empty for what is no date.
std::string rfc3339_date(std::string_view text);

}  // namespace fetchmill::workers::ops
