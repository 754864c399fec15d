#include "server/wire/refusal.hpp"

#include <array>
#include <cstddef>

namespace fetchmill::server::wire {
namespace {

constexpr auto catalogue = std::to_array<RefusalInfo>({
#define REFUSAL(reason, http_status, detail) {Refusal::reason, #reason, http_status, detail},
#include "server/wire/refusals.def"
#undef REFUSAL
});

}  // namespace

std::span<const RefusalInfo> refusal_catalogue() {
  return catalogue;
}

const RefusalInfo& info(Refusal refusal) {
  return catalogue[static_cast<std::size_t>(refusal)];
}

}  // namespace fetchmill::server::wire
