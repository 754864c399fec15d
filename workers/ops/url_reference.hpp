// Makes the references of a document absolute, as the WHATWG URL Standard resolves them against an
// http or https base.
//
// For showing links only, so addresses stay as written and host names keep their letters beyond
// ASCII; who fetches a result parses it again (server/fetch/url). References with another scheme
// (mailto:, data:) are absolute already and stay as they are, but for bytes a URL cannot hold.
// Bytes: the result is ASCII, except in a host name.
// Trust: base and reference are untrusted.
#pragma once

#include <string>
#include <string_view>

namespace fetchmill::workers::ops {

// Empty when the reference is malformed, or relative and `base` is no http or https URL.
std::string resolve_reference(std::string_view base, std::string_view reference);

// Of a parameter `base_url`: why nothing can be relative to it. Empty when something can.
std::string base_url_fault(std::string_view text);

}  // namespace fetchmill::workers::ops
