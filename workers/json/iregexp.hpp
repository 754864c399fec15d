// I-Regexp (RFC 9485) as RE2 writes it.
//
// Process: worker. Pure, without recursion; cost linear.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::workers::json {

// Nothing when `pattern` is no I-Regexp. RE2 may still refuse the result: ranges the wrong way
// round, unknown categories, more than 1,000 repetitions, \p{Cn}.
std::optional<std::string> iregexp_to_re2(std::string_view pattern);

}  // namespace fetchmill::workers::json
