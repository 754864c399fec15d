// How a fetch went (server/fetch/trace.hpp) as JSON, for a task with `debug`. Pure.
#pragma once

#include "server/fetch/cache/cache_status.hpp"
#include "server/fetch/trace.hpp"

#include <string>

namespace fetchmill::handlers {

// {"cache":"…","attempts":[…]}; "cache", as in Cache-Status, where the cache came to a decision.
void append_trace(std::string& out, const server::fetch::FetchTrace& trace,
                  const server::fetch::cache::CacheReport& cache);

// The same for the value of a response field: ASCII, and without its first attempts where it would
// be longer than trace_field_bytes_max ("attempts_left_out" says how many).
inline constexpr std::size_t trace_field_bytes_max = 8 * 1024;
std::string trace_field(const server::fetch::FetchTrace& trace,
                        const server::fetch::cache::CacheReport& cache);

}  // namespace fetchmill::handlers
