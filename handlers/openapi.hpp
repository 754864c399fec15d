// GET /openapi.json: the OpenAPI 3.1 description of every route, made once at start.
//
// The error codes come from the error catalogue, the op parameters from the op registry, defaults
// and limits from the settings.
#pragma once

#include "config/settings.hpp"
#include "server/http/router.hpp"

#include <string>
#include <string_view>

namespace fetchmill::handlers {

std::string openapi_document(const config::Settings& settings);

// Answers with that document.
server::http::ImmediateHandler openapi_handler(const config::Settings& settings);

// What a route does, in one line; `path` as in the route table. Empty for a route that the document
// does not describe.
std::string_view route_summary(std::string_view path);

}  // namespace fetchmill::handlers
