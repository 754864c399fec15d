// Whether this build is instrumented by a sanitizer, which needs more than a worker may have
// otherwise: memory for its shadow, a descriptor to report on, handlers of its own.
#pragma once

namespace fetchmill::workers {

#if defined(FETCHMILL_ADDRESS_SANITIZER)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace fetchmill::workers
