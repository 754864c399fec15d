// Which requests the cache takes part in, and what they ask of it. Pure.
#pragma once

#include "server/fetch/cache/cache_control.hpp"
#include "server/fetch/request.hpp"

#include <span>
#include <string>

namespace fetchmill::server::fetch::cache {

// A whole GET: conditions and ranges are the client's own business.
bool takes_part(const FetchRequest& request);

// The request's own Cache-Control, with what its cache mode adds.
CacheControl asked_of_cache(const FetchRequest& request);

// The fields the client wants sent, without the condition that the cache may have added.
std::span<const Header> fields_of_client(const FetchRequest& request);

// Behind the key of its URL: what makes two requests identical, every field the client wants sent.
void append_identity(std::string& key, const FetchRequest& request);

// Whether a request may change what its URL answers (RFC 9110 §9.2.1).
bool is_unsafe(wire::Method method);

}  // namespace fetchmill::server::fetch::cache
