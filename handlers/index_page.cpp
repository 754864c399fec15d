#include "handlers/index_page.hpp"

#include "config/ascii.hpp"
#include "config/version.hpp"
#include "handlers/html.hpp"
#include "handlers/openapi.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace fetchmill::handlers {
namespace {

using server::http::Request;
using server::http::Response;
using server::http::Route;
using server::http::Router;

// Command lines to try: what is told, what follows the server's address, what follows the URL.
struct Example {
  std::string_view text;
  std::string_view target;
  std::string_view options;
};

constexpr std::array examples{
    Example{"Fetch a page and hash it", "/v1/fetch?url=https://example.com/&op=hash", ""},
    Example{"Two at once, each outcome as it completes", "/v1/batch",
            R"( --json '{"tasks":[{"url":"https://example.com/"},{"url":"https://example.org/"}],)"
            R"("defaults":{"pipeline":[{"op":"hash"}]}}')"},
    Example{"Process a body of your own", "/v1/process?op=json.select&pointer=/name",
            R"( --json '{"name":"mill","wheels":2}')"},
};

constexpr std::string_view introduction =
    "<p>A server that fetches URLs and processes every body on every core.</p>\n"
    "<p><a href=\"/v1/ops\">Ops</a> · <a href=\"/openapi.json\">OpenAPI</a> · "
    "<a href=\"/metrics\">Metrics</a> · <a href=\"/errors/\">Errors</a> · "
    "<a href=\"/readyz\">Readiness</a></p>\n";

// The Host as the client sent it, where it is plain enough to be pasted into a shell. A valid Host
// may hold quotes and other sub-delimiters, which nobody's server is called by.
std::string_view host_for_commands(std::string_view host) {
  const auto is_plain = [](char c) {
    return ascii::is_alphanumeric(c) ||
           std::string_view(".-_:[]").find(c) != std::string_view::npos;
  };
  const bool plain = !host.empty() && std::all_of(host.begin(), host.end(), is_plain);
  return plain ? host : "localhost:8080";
}

std::string routes_table(std::span<const Route> routes) {
  std::string out =
      "<h2>Routes</h2>\n<div class=\"wide\">\n<table>\n"
      "<tr><th>Path</th><th>Methods</th><th>Does</th></tr>\n";
  for (const Route& route : routes) {
    out += "<tr><td><code>";
    append_html(out, route.path);
    out += "</code></td><td>" + Router::allow(route.methods) + "</td><td>";
    append_html(out, route_summary(route.path));
    out += "</td></tr>\n";
  }
  return out + "</table>\n</div>\n";
}

std::string examples_text(std::string_view host) {
  std::string out = "<h2>Try it</h2>\n";
  for (const Example& example : examples) {
    out += "<p>";
    append_html(out, example.text);
    out += ":</p>\n<pre>";
    append_html(out, "curl 'http://");
    append_html(out, host);
    append_html(out, example.target);
    append_html(out, "'");
    append_html(out, example.options);
    out += "</pre>\n";
  }
  return out;
}

// "1 234 567", with spaces that do not break.
std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, "\u202f");
  return digits;
}

std::string counters_table(const Counters& now) {
  const std::pair<std::string_view, std::string> rows[] = {
      {"Requests answered", grouped(now.requests)},
      {"Requests under way", grouped(now.in_flight)},
      {"Fetches", grouped(now.fetches)},
      {"Pipelines run", grouped(now.tasks)},
      {"Workers ready", grouped(now.workers_ready) + " of " + grouped(now.workers_total)},
      {"Running for", uptime_text(now.uptime)},
  };
  std::string out = "<h2>Now</h2>\n<table>\n";
  for (const auto& [name, value] : rows)
    out.append("<tr><th>").append(name).append("</th><td>").append(value).append("</td></tr>\n");
  return out + "</table>\n";
}

}  // namespace

std::string uptime_text(std::chrono::seconds uptime) {
  const auto seconds = static_cast<std::uint64_t>(uptime.count());
  const auto both = [](std::uint64_t large, std::string_view name, std::uint64_t small,
                       std::string_view small_name) {
    std::string text = std::to_string(large);
    text.append(" ").append(name).append(" ").append(std::to_string(small));
    return text.append(" ").append(small_name);
  };
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return both(seconds / 60, "min", seconds % 60, "s");
  if (seconds < 86400) return both(seconds / 3600, "h", seconds / 60 % 60, "min");
  const std::uint64_t days = seconds / 86400;
  return both(days, days == 1 ? "day" : "days", seconds / 3600 % 24, "h");
}

server::http::ImmediateHandler index_handler(std::span<const Route> routes,
                                             std::function<Counters()> count) {
  return [table = routes_table(routes), count = std::move(count)](const Request& request,
                                                                  Response& response) {
    response.headers = "Cache-Control: no-store\r\n";
    std::string content(introduction);
    content += counters_table(count());
    content += examples_text(host_for_commands(request.head.host));
    content += table;
    content.append("<p>Version ").append(config::version).append(" (");
    content.append(config::revision).append(").</p>\n");
    make_page("fetchmill", content, response);
  };
}

}  // namespace fetchmill::handlers
