// POST /v1/merge: many tasks, then one more pipeline over all their results: map and reduce in one
// call.
#pragma once

#include "handlers/app.hpp"
#include "server/http/exchange.hpp"

namespace fetchmill::handlers {

server::Task<void> merge(App& app, server::http::Exchange& exchange);

}  // namespace fetchmill::handlers
