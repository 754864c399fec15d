// The strict gate for HTTP/1.x heads: bytes in; a head with its body framing, or the reason to
// refuse, out.
//
// Pure: no I/O, no allocation, no state but the caller's HeadProgress. The answer for a byte stream
// does not depend on how it was cut into pieces, and feeding a head byte by byte costs at most
// twice as much in total as feeding it whole. Decisions: README.md in this folder.
//
// Lifetime: the views of a complete head point into the bytes of the call that completed it. The
// buffer may move between calls, not while the head is in use.
// Trust: every byte is untrusted.
#pragma once

#include "server/wire/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/container/static_vector.hpp>

namespace fetchmill::server::wire {

using FieldId = boost::beast::http::field;
using Method = boost::beast::http::verb;

inline constexpr std::size_t fields_capacity = 100;

struct HeadLimits {
  std::size_t start_line_bytes_max = 8 * 1024;  // without its CRLF
  std::size_t head_bytes_max = 32 * 1024;       // with the empty line
  std::size_t fields_max = fields_capacity;     // never more than fields_capacity
};

struct Field {
  std::string_view name;   // as sent
  std::string_view value;  // without white space around it; bytes of 0x80 and above are opaque
  FieldId id = FieldId::unknown;
};

// The fields in the order they came, in place.
class Fields {
 public:
  const Field* begin() const { return items_.data(); }
  const Field* end() const { return items_.data() + items_.size(); }
  std::size_t size() const { return items_.size(); }
  const Field& operator[](std::size_t index) const { return items_[index]; }

  // The first field of that name (any case), or null. By id is quicker; FieldId::unknown finds
  // nothing.
  const Field* find(FieldId id) const;
  const Field* find(std::string_view name) const;
  // The first value of that name; empty when there is none.
  std::string_view value(FieldId id) const;

  void clear() { items_.clear(); }
  // Requires: size() < fields_capacity.
  void append(const Field& item) { items_.push_back(item); }

 private:
  // Not an array: making and copying a head must not touch 4 KB for the few fields it has.
  boost::container::static_vector<Field, fields_capacity> items_;
};

// How the end of the body is found.
enum class Framing : std::uint8_t {
  none,         // no body
  length,       // content_length bytes; may be 0
  chunked,      // ChunkDecoder
  until_close,  // responses only
};

struct RequestHead {
  Method method = Method::unknown;  // unknown: a token Beast does not know; see method_text
  std::string_view method_text;
  std::string_view target;  // what to route: "/path?query", or "*" with OPTIONS
  std::string_view
      target_text;  // as sent; differs from `target` for absolute-form ("http://host/path")
  unsigned minor_version = 1;  // HTTP/1.minor_version: 0 or 1
  std::string_view host;       // the Host field, valid: name, IPv4 or [IPv6], with :port if sent
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;  // with Framing::length
  bool keep_alive = true;            // an HTTP/1.0 client must be told with Connection: keep-alive
  bool expect_continue = false;      // waits for 100 (Continue) before it sends its body
  std::size_t bytes = 0;             // of the head, empty line included: where the body begins
  Fields fields;
};

struct ResponseHead {
  unsigned status = 0;         // 100 to 999; 1xx is an interim head, another head follows
  std::string_view reason;     // may be empty
  unsigned minor_version = 1;  // HTTP/1.minor_version: 0 or 1
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;  // with Framing::length
  bool keep_alive = true;            // the connection may be used again once the body is complete
  std::size_t bytes = 0;             // of the head, empty line included: where the body begins
  Fields fields;
};

// How far a head has been looked at; one per head being received. A complete head resets it for the
// next one; after a refused one it is of no use.
struct HeadProgress {
  std::size_t scanned = 0;           // bytes known to be fine
  std::size_t line_start = 0;        // of the line that is being scanned
  std::size_t start_line_bytes = 0;  // 0 until the first line is complete and valid
  std::size_t fields = 0;            // field lines complete
};

enum class HeadStatus : std::uint8_t { incomplete, complete, refused };

struct HeadResult {
  HeadStatus status = HeadStatus::incomplete;
  Refusal refusal = Refusal::none;  // with HeadStatus::refused
};

// Reads the head that begins at the first of `bytes`; what follows the head is not looked at. While
// it is incomplete, call again with the same bytes and more behind them, and the same progress.
// `head` is meaningful only when complete.
HeadResult parse_request_head(std::string_view bytes, HeadProgress& progress, RequestHead& head,
                              const HeadLimits& limits = {});

// The same for a response to a request with `request_method`, which decides whether a body follows.
HeadResult parse_response_head(std::string_view bytes, Method request_method,
                               HeadProgress& progress, ResponseHead& head,
                               const HeadLimits& limits = {});

}  // namespace fetchmill::server::wire
