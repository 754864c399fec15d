// POST /v1/batch: many tasks in one exchange; outcomes stream as they complete, or in input order,
// summary last.
#pragma once

#include "handlers/app.hpp"
#include "server/http/exchange.hpp"

namespace fetchmill::handlers {

server::Task<void> batch(App& app, server::http::Exchange& exchange);

}  // namespace fetchmill::handlers
