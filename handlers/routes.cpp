#include "handlers/routes.hpp"

#include "config/metric_totals.hpp"
#include "handlers/batch.hpp"
#include "handlers/error_pages.hpp"
#include "handlers/fetch.hpp"
#include "handlers/health.hpp"
#include "handlers/index_page.hpp"
#include "handlers/merge.hpp"
#include "handlers/named_pipelines.hpp"
#include "handlers/openapi.hpp"
#include "handlers/process.hpp"
#include "handlers/query.hpp"
#include "server/http/exchange.hpp"
#include "server/metrics_exposition.hpp"
#include "workers/ops/pipeline.hpp"

#include <chrono>
#include <utility>

namespace fetchmill::handlers {
namespace {

using server::http::Exchange;
using server::http::ExchangeHandler;
using server::http::ImmediateHandler;
using server::http::method_get;
using server::http::method_head;
using server::http::method_post;
using server::http::Request;
using server::http::Response;
using server::http::Route;

constexpr server::http::MethodSet read_only = method_get | method_head;

ExchangeHandler sequence(App& app, server::Task<void> (*handler)(App&, Exchange&)) {
  return [&app, handler](Exchange& exchange) { return handler(app, exchange); };
}

// With the refusal as the response: the request has a query, and the route has no parameters.
bool refuses_query(const Request& request, Response& response) {
  if (request.query.empty()) return false;
  response = server::http::problem(
      config::Error(config::ErrorCode::unknown_field, "this route has no query parameters",
                    first_parameter(request.query)),
      request.id);
  return true;
}

ImmediateHandler ops_handler() {
  return [catalogue = workers::ops::catalogue_json()](const Request& request, Response& response) {
    if (refuses_query(request, response)) return;
    response.media_type = "application/json";
    response.borrowed_body = catalogue;
  };
}

ImmediateHandler pipelines_handler(const App& app) {
  return [&app](const Request& request, Response& response) {
    if (refuses_query(request, response)) return;
    response.media_type = "application/json";
    response.body = pipelines_json(app.settings);
  };
}

ImmediateHandler metrics_handler(App& app, const std::function<std::string()>& expose) {
  return [&app, expose](const Request&, Response& response) {
    app.pool.publish_gauges();
    response.media_type = server::MetricsExposition::media_type;
    response.body = expose();
  };
}

// Of all loops together.
Counters counters(App& app) {
  namespace rows = config::metric_rows;
  app.pool.publish_gauges();
  const config::MetricTotals totals(app.pages);
  return {.requests = totals.sum(rows::http_requests_total),
          .in_flight = totals.sum(rows::http_requests_in_flight),
          .fetches = totals.sum(rows::fetch_requests_total),
          .tasks = totals.sum(rows::tasks_total),
          .workers_ready = totals.sum(rows::workers, "idle") + totals.sum(rows::workers, "busy"),
          .workers_total = app.settings.workers.count * app.settings.server.loops,
          .uptime = std::chrono::floor<std::chrono::seconds>(server::Clock::now() - app.started)};
}

}  // namespace

std::vector<Route> admin_routes(App& app, const std::function<std::string()>& expose) {
  const auto readiness = [&app](const Request&, Response& response) { ready(app, response); };
  return {
      {"/healthz", "health", read_only, ImmediateHandler(live)},
      {"/livez", "health", read_only, ImmediateHandler(live)},
      {"/readyz", "health", read_only, ImmediateHandler(readiness)},
      {"/metrics", "metrics", read_only, metrics_handler(app, expose)},
  };
}

std::vector<Route> routes(App& app, const std::function<std::string()>& expose) {
  // The busiest first: the table is searched in order.
  std::vector<Route> table{
      {"/v1/fetch", "fetch", read_only | method_post, sequence(app, fetch)},
      {"/v1/batch", "batch", method_post, sequence(app, batch)},
      {"/v1/merge", "merge", method_post, sequence(app, merge)},
      {"/v1/process", "process", method_post, sequence(app, process)},
      {"/v1/ops", "ops", read_only, ops_handler()},
      {"/v1/pipelines", "pipelines", read_only, pipelines_handler(app)},
      {"/openapi.json", "openapi", read_only, openapi_handler(app.settings)},
      {"/errors", "errors", read_only, ImmediateHandler(error_page)},
      {"/errors/", "errors", read_only, ImmediateHandler(error_page)},
  };
  for (Route& route : admin_routes(app, expose)) table.push_back(std::move(route));
  table.push_back({"/", "index", read_only, {}});
  table.back().handler = index_handler(table, [&app] { return counters(app); });
  return table;
}

}  // namespace fetchmill::handlers
