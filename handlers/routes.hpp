// The route table. To add an endpoint: one file in this folder, one row in routes.cpp, its path in
// openapi.cpp.
#pragma once

#include "handlers/app.hpp"
#include "server/http/router.hpp"

#include <functional>
#include <string>
#include <vector>

namespace fetchmill::handlers {

// `expose` makes the body of /metrics. Lifetime: `app` outlives the routes.
std::vector<server::http::Route> routes(App& app, const std::function<std::string()>& expose);
// Those of server.admin_listen.
std::vector<server::http::Route> admin_routes(App& app, const std::function<std::string()>& expose);

}  // namespace fetchmill::handlers
