#include "handlers/trace_json.hpp"

#include "config/utf8.hpp"
#include "handlers/json_output.hpp"

#include <cstdio>
#include <string_view>

namespace fetchmill::handlers {
namespace {

using server::fetch::AddressTrace;
using server::fetch::AttemptTrace;
using server::fetch::FetchTrace;
using server::fetch::TlsFacts;
using server::fetch::cache::CacheReport;

void append_address(std::string& out, const AddressTrace& address) {
  out += '{';
  append_member(out, "address", to_string(address.address));
  append_member(out, "verdict",
                address.verdict.allowed() ? "allowed" : to_string(address.verdict.reason));
  append_member(out, "connect", address.connect);
  out += '}';
}

void append_tls(std::string& out, const TlsFacts& tls) {
  out += ",\"tls\":{";
  append_member(out, "version", tls.version);
  append_member(out, "cipher", tls.cipher);
  append_member(out, "protocol", tls.protocol);
  out += tls.resumed ? ",\"resumed\":true" : ",\"resumed\":false";
  out += ",\"certificate\":{";
  append_member(out, "subject", tls.subject);
  append_member(out, "issuer", tls.issuer);
  append_member(out, "not_before", tls.not_before);
  append_member(out, "not_after", tls.not_after);
  out += "}}";
}

void append_attempt(std::string& out, const FetchTrace& trace, const AttemptTrace& attempt) {
  out += '{';
  append_member(out, "url", attempt.url);
  if (attempt.held > server::Clock::duration::zero()) {
    out += ",\"held_ms\":";
    append_milliseconds(out, attempt.held);
  }
  out += ",\"at_ms\":";
  append_milliseconds(out, attempt.begun - trace.begun());
  if (attempt.took) {
    out += ",\"took_ms\":";
    append_milliseconds(out, *attempt.took);
  }
  out += attempt.reused ? ",\"reused\":true" : ",\"reused\":false";
  if (!attempt.addresses.empty()) {
    out += ",\"addresses\":[";
    for (const AddressTrace& address : attempt.addresses) {
      if (!out.ends_with('[')) out += ',';
      append_address(out, address);
    }
    out += ']';
  }
  if (attempt.peer) append_member(out, "peer", to_string(*attempt.peer));
  if (attempt.tls) append_tls(out, *attempt.tls);
  if (attempt.status != 0) {
    out += ",\"status\":";
    append_number(out, attempt.status);
  }
  if (attempt.error) {
    append_member(out, "error", config::info(attempt.error->code).name);
    append_member(out, "detail", attempt.error->detail);
  }
  out += ",\"timings_ms\":";
  append_timings(out, [&](auto visit) { for_each_phase(attempt.timings, visit); });
  if (attempt.wait) {
    out += ",\"wait_ms\":";
    append_milliseconds(out, *attempt.wait);
  }
  out += '}';
}

void append_debug(std::string& out, const FetchTrace& trace, const CacheReport& cache,
                  std::size_t first) {
  out += '{';
  if (is_decided(cache)) {
    out += "\"cache\":\"";
    append_cache_status(out, cache);
    out += "\",";
  }
  if (first > 0) {
    out += "\"attempts_left_out\":";
    append_number(out, first);
    out += ',';
  }
  out += "\"attempts\":[";
  for (std::size_t i = first; i < trace.attempts().size(); ++i) {
    if (i > first) out += ',';
    append_attempt(out, trace, trace.attempts()[i]);
  }
  out += "]}";
}

// JSON of ASCII alone. Requires: UTF-8.
std::string to_ascii(std::string_view json) {
  std::string out;
  for (std::size_t i = 0; i < json.size();) {
    const std::size_t bytes = config::utf8_sequence(json.substr(i));
    if (bytes <= 1) {
      out += json[i++];
      continue;
    }
    char32_t point = static_cast<unsigned char>(json[i]) & (0x7fu >> bytes);
    for (std::size_t k = 1; k < bytes; ++k)
      point = point << 6 | (static_cast<unsigned char>(json[i + k]) & 0x3fu);
    i += bytes;
    char escaped[16];
    if (point < 0x10000)
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(point));
    else
      std::snprintf(escaped, sizeof escaped, "\\u%04x\\u%04x",
                    static_cast<unsigned>(0xd7c0 + (point >> 10)),
                    static_cast<unsigned>(0xdc00 + (point & 0x3ff)));
    out += escaped;
  }
  return out;
}

}  // namespace

void append_trace(std::string& out, const FetchTrace& trace, const CacheReport& cache) {
  append_debug(out, trace, cache, 0);
}

std::string trace_field(const FetchTrace& trace, const CacheReport& cache) {
  for (std::size_t first = 0;; ++first) {
    std::string json;
    append_debug(json, trace, cache, first);
    std::string field = to_ascii(json);
    if (field.size() <= trace_field_bytes_max || first == trace.attempts().size()) return field;
  }
}

}  // namespace fetchmill::handlers
