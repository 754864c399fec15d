// GET /errors/CODE: what an error means and what to do; GET /errors/ lists all codes.
//
// HTML for who prefers it by Accept, else JSON {"code","status","title","advice","retryable"}.
// Errors: not_found for a code that does not exist.
#pragma once

#include "server/http/message.hpp"

namespace fetchmill::handlers {

// An immediate handler for the path "/errors" and what is below it.
void error_page(const server::http::Request& request, server::http::Response& response);

}  // namespace fetchmill::handlers
