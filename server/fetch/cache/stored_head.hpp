// The head of a stored answer after a 304 confirmed it (RFC 9111 §3.2, §4.3.4). Pure.
//
// Trust: both heads come from an upstream.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch::cache {

inline constexpr std::size_t stored_head_bytes_max = 32 * 1024;

// The stored head with the fields of the 304 in place of its own. Fields that describe the stored
// body or a connection stay as they were; Age and Date are the 304's, or none. Empty: it grew too
// large to keep.
std::optional<std::string> updated_head(std::string_view stored, std::string_view not_modified);

// Whether the 304 is about another answer than the stored one.
bool contradicts(std::string_view stored, std::string_view not_modified);

}  // namespace fetchmill::server::fetch::cache
