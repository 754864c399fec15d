// GET /livez, /healthz and /readyz: answered from memory, never queued behind work.
#pragma once

#include "handlers/app.hpp"
#include "server/http/message.hpp"

namespace fetchmill::handlers {

// The loop answers, so it is alive.
void live(const server::http::Request& request, server::http::Response& response);

// 200 when there is a worker to process with and the server is not draining; else 503. With detail
// either way.
void ready(const App& app, server::http::Response& response);

}  // namespace fetchmill::handlers
