// GET /: a short page for people: what this is, its routes, and commands to try.
//
// Trust: the Host field shows in the page and in its commands; it is escaped, and only used when it
// is harmless in a shell as well.
#pragma once

#include "server/http/router.hpp"

#include <span>

namespace fetchmill::handlers {

// Answers with a page that lists `routes`; reads them now, keeps nothing of them.
server::http::ImmediateHandler index_handler(std::span<const server::http::Route> routes);

}  // namespace fetchmill::handlers
