// What is asked of an upstream, and the pure checks of it that a task passes before it is admitted.
//
// Trust: methods and header fields come from clients.
#pragma once

#include "config/error.hpp"
#include "server/fetch/shared_bytes.hpp"
#include "server/fetch/url.hpp"
#include "server/loop.hpp"
#include "server/wire/head.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch {

struct Header {
  std::string name;
  std::string value;
};

struct Credential;

struct StatusRange {
  unsigned first = 200;
  unsigned last = 299;
  bool operator==(const StatusRange&) const = default;
};

enum class CacheMode : std::uint8_t {
  use_default,     // as RFC 9111 has it
  bypass,          // the cache takes no part
  only_if_cached,  // not_cached, where the upstream would have to be asked
  refresh,         // asked of the upstream, and stored
};

struct FetchRequest {
  Url url;  // from Fetcher::check_url
  wire::Method method = wire::Method::get;
  std::vector<Header> headers;                             // passed check_headers
  std::vector<Header> trace;                               // sent where `headers` has none of them
  std::shared_ptr<const Credential> credential = nullptr;  // sent where it is for the hop
  SharedBytes body;
  TimePoint deadline = TimePoint::max();   // of the whole fetch; passing it is upstream_timeout
  std::uint64_t max_bytes = 0;             // of the body; more is upstream_body_too_large
  std::uint64_t max_redirects = 0;         // 0 follows none
  std::uint64_t retries = 0;               // of the whole fetch; which failures: retry.hpp
  std::vector<StatusRange> accept_status;  // empty: 2xx
  CacheMode cache = CacheMode::use_default;
  bool revalidates = false;      // the conditions among the headers are the cache's own
  bool waits_out_pauses = true;  // that the upstream asked for; else they are rate_limited at once
};

inline constexpr std::size_t request_headers_max = 64;
inline constexpr std::size_t request_header_bytes_max = 16 * 1024;

// Errors: invalid_request. CONNECT and TRACE are refused like methods nobody knows.
config::Result<wire::Method> check_method(std::string_view method);

// One field a caller wants sent. Errors: invalid_request for what is not a field line by RFC 9110
// and for the fields that belong to the connection or to the framing, which are ours alone.
// `field` of the error is empty: the caller knows where the header stood.
config::Result<void> check_header(std::string_view name, std::string_view value);
// All of them, and their number and size. `field` of the error is "headers.NAME" or "headers".
config::Result<void> check_headers(std::span<const Header> headers);

// "404" or "2xx". Errors: invalid_request.
config::Result<StatusRange> parse_status_range(std::string_view text);
bool accepts(std::span<const StatusRange> ranges, unsigned status);

// Whether the content codings are ours to choose, and to undo: the caller sets no Accept-Encoding.
bool codings_are_ours(const FetchRequest& request);

// Safe to send twice: RFC 9110 §9.2.2.
bool is_idempotent(wire::Method method);

// The codings asked for where they are ours: what the workers undo.
inline constexpr std::string_view asked_codings = "gzip, deflate, br, zstd";

// The fields of `request` as HTTP/2 has them: pseudo-fields first, names in lower case, no Host.
std::vector<Header> http2_fields(const FetchRequest& request);

// Appends the head of `request` as HTTP/1.1 has it, empty line included.
void append_request_head(std::string& to, const FetchRequest& request);

}  // namespace fetchmill::server::fetch
