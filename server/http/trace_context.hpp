// The caller's place in a distributed trace, and what upstreams are told of it: W3C Trace Context,
// level 1. Pure.
//
// Errors: none; what the standard calls invalid counts as absent. Trust: the fields are the
// client's; what is kept of them is plain ASCII and safe in a header, a log line and a JSON string.
#pragma once

#include "server/wire/head.hpp"

#include <string>
#include <string_view>

namespace fetchmill::server::http {

struct TraceContext {
  std::string trace_id;  // 32 hexadecimal digits; empty: the caller has no trace
  bool sampled = false;  // whether the caller records it
  std::string state;     // the value of tracestate to pass on; may be empty

  bool is_there() const { return !trace_id.empty(); }
};

// Of a request with these fields.
TraceContext read_trace_context(const wire::Fields& fields);

// A traceparent whose parent is ours: `span_id` is 16 hexadecimal digits, not all zero.
std::string traceparent(const TraceContext& context, std::string_view span_id);

}  // namespace fetchmill::server::http
