// Which of our representations a client wants, by its Accept field. Pure.
#pragma once

#include <string_view>

namespace fetchmill::handlers {

// How much `media_type` is wanted, 0 (not at all) to 1000, by the most specific range that covers
// it (RFC 9110 §12.5.1). An empty field wants everything. `media_type` is in lower case, without
// parameters. Ranges with malformed weights count as 1000.
unsigned quality(std::string_view accept, std::string_view media_type);

}  // namespace fetchmill::handlers
