// GET, HEAD and POST /v1/fetch: one task, answered with the result's bytes, or as the outcome
// object when asked to.
#pragma once

#include "handlers/app.hpp"
#include "server/http/exchange.hpp"

namespace fetchmill::handlers {

server::Task<void> fetch(App& app, server::http::Exchange& exchange);

}  // namespace fetchmill::handlers
