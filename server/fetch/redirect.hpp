// What follows from the status of an answer: pure decisions by RFC 9110 §15.4.
//
// Trust: a Location comes from an upstream.
#pragma once

#include "server/fetch/request.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace fetchmill::server::fetch {

enum class NextStep : std::uint8_t {
  deliver,             // the body is what was asked for
  refuse_status,       // upstream_status
  follow,              // another hop
  too_many_redirects,  // it would be one more than allowed
};

// `redirects`: followed so far. A redirect that says nowhere to go is a status like any other; one
// that must not be followed at all (max 0) is delivered where its status is accepted.
NextStep next_step(unsigned status, bool has_location, std::uint64_t redirects,
                   std::uint64_t redirects_max, std::span<const StatusRange> accepted);

// Where a redirect leads. Several that differ are upstream_protocol: each reader would follow
// another.
config::Result<std::string_view> location_of(const wire::Fields& fields);

// The method of the next hop: 303 asks to GET, and 301 and 302 turn a POST into a GET, as every
// client does.
wire::Method redirected_method(unsigned status, wire::Method method);

// Whether a field the caller set may go to another origin. Anything may be a credential
// (X-Api-Key), so only fields known to be harmless go.
bool crosses_origins(std::string_view field_name);

// Turns `request` into its next hop, `to`. From https to http a body is not sent: url_denied.
config::Result<void> redirect(FetchRequest& request, unsigned status, Url to);

}  // namespace fetchmill::server::fetch
