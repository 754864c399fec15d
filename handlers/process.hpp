// POST /v1/process: the request's body is the input of a pipeline; no fetch.
#pragma once

#include "handlers/app.hpp"
#include "server/http/exchange.hpp"

namespace fetchmill::handlers {

server::Task<void> process(App& app, server::http::Exchange& exchange);

}  // namespace fetchmill::handlers
