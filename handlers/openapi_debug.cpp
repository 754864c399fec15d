#include "handlers/openapi_debug.hpp"

#include "handlers/openapi_json.hpp"

namespace fetchmill::handlers::openapi {
namespace {

std::string tls_schema() {
  const std::string certificate = object({fields(
      {property("subject", "Whose it is.", string_type),
       property("issuer", "Who signed it.", string_type),
       property("not_before", "It holds from then on.", R"("type":"string","format":"date-time")"),
       property("not_after", "It holds until then.", R"("type":"string","format":"date-time")")})});
  return object({member("description", text("What the TLS handshake agreed on.")),
                 fields({property("version", "TLSv1.2 or TLSv1.3.", string_type),
                         property("cipher", "The cipher suite.", string_type),
                         property("protocol", "The protocol on top of it, by ALPN.", string_type),
                         property("resumed", "Whether an earlier session was resumed.",
                                  R"("type":"boolean")"),
                         member("certificate", certificate)})});
}

}  // namespace

std::string debug_schema() {
  const std::string address = object(
      {fields({property("address", "An address of the host.", string_type),
               property("verdict", "allowed, or why it may not be fetched from.", string_type),
               property("connect",
                        "ok, or why connecting failed; missing where it was not tried to its end.",
                        string_type)})});
  const std::string attempt = object({fields(
      {property("url", "Asked for: after redirects, the next one.", string_type),
       property("held_ms",
                "How long it waited before it began, because its upstream had asked for a pause.",
                milliseconds_type),
       property("at_ms", "When it began, from the beginning of the task.", milliseconds_type),
       property("took_ms", "How long it took.", milliseconds_type),
       property("reused", "Whether the connection was kept from an earlier fetch.",
                R"("type":"boolean")"),
       member("addresses", object({R"("type":"array")", member("items", address)})),
       property("peer", "The address that was connected to.", string_type),
       member("tls", tls_schema()),
       property("status", "Of the upstream's answer.", R"("type":"integer")"),
       property("error", "The code of the error it ended in.", string_type),
       property("detail", "What happened, for people.", string_type),
       member("timings_ms", schema_reference("Timings")),
       property("wait_ms", "The pause before it was tried again.", milliseconds_type)})});
  return object(
      {member("description", text("How the fetch went.")),
       fields(
           {property("cache",
                     "What the cache did, as in Cache-Status (RFC 9211); missing where it came to "
                     "no decision.",
                     string_type),
            member("attempts", object({R"("type":"array")", member("items", attempt)})),
            property("attempts_left_out",
                     "How many attempts came before these: a header field is at most 8 KiB.",
                     count_type)}),
       required({"attempts"})});
}

}  // namespace fetchmill::handlers::openapi
