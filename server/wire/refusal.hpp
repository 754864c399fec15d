// Why bytes from a peer were refused, by a stable name (metric label, problem detail).
//
// The rows stand in refusals.def.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fetchmill::server::wire {

enum class Refusal : std::uint8_t {
#define REFUSAL(reason, http_status, detail) reason,
#include "server/wire/refusals.def"
#undef REFUSAL
};

struct RefusalInfo {
  Refusal refusal;
  std::string_view name;
  unsigned http_status;  // to answer a client with; the connection is closed after it
  std::string_view detail;
};

std::span<const RefusalInfo> refusal_catalogue();
const RefusalInfo& info(Refusal refusal);

}  // namespace fetchmill::server::wire
