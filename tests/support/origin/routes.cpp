#include "tests/support/origin/routes.hpp"

#include "tests/support/origin/bodies.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

namespace fetchmill::tests::origin {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t body_bytes_max = 256 * 1024 * 1024;

struct Context {
  const Request& request;
  Counters& counters;

  std::uint64_t number(std::string_view name, std::uint64_t otherwise) const {
    return request.number(name, otherwise);
  }
  std::uint64_t size(std::string_view name, std::uint64_t otherwise) const {
    return std::min(number(name, otherwise), body_bytes_max);
  }
};

std::string status_line(std::uint64_t status) {
  static const std::map<std::uint64_t, std::string_view> reasons = {
      {200, "OK"},           {204, "No Content"}, {301, "Moved Permanently"}, {302, "Found"},
      {304, "Not Modified"}, {404, "Not Found"},  {500, "Server Error"}};
  const auto found = reasons.find(status);
  const std::string reason(found == reasons.end() ? "Status" : found->second);
  return "HTTP/1.1 " + std::to_string(status) + " " + reason + "\r\n";
}

// `fields` are whole lines. The head is always the first step: HEAD keeps that one only.
Script reply(std::uint64_t status, std::string_view media_type, Bytes body,
             std::string_view fields = {}) {
  std::string head = status_line(status);
  head.append("Content-Type: ").append(media_type).append("\r\n");
  if (status != 204 && status != 304) {
    head += "Content-Length: " + std::to_string(body->size()) + "\r\n";
  }
  head.append(fields).append("\r\n");
  Script script{Send{bytes(std::move(head))}};
  if (status != 204 && status != 304 && !body->empty()) script.emplace_back(Send{std::move(body)});
  return script;
}

Script json_reply(std::string text, std::string_view fields = {}) {
  return reply(200, "application/json", bytes(std::move(text)), fields);
}

Script delay(const Context& c) {
  const std::uint64_t wait_ms = c.number("ms", 0);
  Script script{Wait{milliseconds(wait_ms)}};
  for (Step& step : json_reply("{\"delay\":" + std::to_string(wait_ms) + "}")) {
    script.push_back(std::move(step));
  }
  return script;
}

Script plain(const Context& c) {
  const std::uint64_t max_age = c.number("max_age", 0);
  const std::string fields =
      max_age > 0 ? "Cache-Control: max-age=" + std::to_string(max_age) + "\r\n" : std::string();
  return reply(200, c.request.parameter("type", "text/plain"), plain_bytes(c.size("n", 1024)),
               fields);
}

Script json(const Context& c) {
  return reply(200, c.request.parameter("type", "application/json"),
               json_array(std::min<std::uint64_t>(c.number("records", 10), 1'000'000)));
}

Script ndjson(const Context& c) {
  return reply(200, "application/x-ndjson",
               ndjson_lines(std::min<std::uint64_t>(c.number("records", 10), 1'000'000)));
}

// The request's `text` back as the body, with the media type asked for.
Script text(const Context& c) {
  return reply(200, c.request.parameter("type", "text/plain"),
               bytes(std::string(c.request.parameter("text"))));
}

// A Location ends at the first control byte: what a test passes must not split the head.
std::string location_line(std::string_view target) {
  target = target.substr(0, target.find_first_of(std::string_view("\r\n\0", 3)));
  return "Location: " + std::string(target) + "\r\n";
}

Script redirect(const Context& c) {
  return reply(c.number("status", 302), "text/plain", bytes("moved\n"),
               location_line(c.request.parameter("to", "/json")));
}

Script redirects(const Context& c) {
  const std::uint64_t left = c.number("n", 0);
  if (left == 0) return json_reply("{\"redirects\":\"done\"}");
  return reply(302, "text/plain", bytes("moved\n"),
               location_line("/redirects?n=" + std::to_string(left - 1)));
}

Script chunked(const Context& c) {
  const Bytes body = plain_bytes(c.size("n", 1024));
  const std::uint64_t chunk = std::max<std::uint64_t>(c.number("chunk", 256), 1);
  const bool extensions = c.number("extensions", 0) != 0;
  std::string coded;
  for (std::uint64_t at = 0; at < body->size(); at += chunk) {
    const std::uint64_t size = std::min(chunk, body->size() - at);
    char line[64];
    std::snprintf(line, sizeof line, "%llx%s\r\n", static_cast<unsigned long long>(size),
                  extensions ? ";name=value" : "");
    coded.append(line).append(*body, at, size).append("\r\n");
  }
  coded += "0\r\n";
  if (c.number("trailers", 0) != 0) coded += "X-Trailer: dropped\r\nX-Second: too\r\n";
  coded += "\r\n";
  return {Send{bytes(status_line(200) +
                     "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")},
          Send{bytes(std::move(coded))}};
}

Script close_delimited(const Context& c) {
  return {Send{bytes(status_line(200) + "Content-Type: text/plain\r\nConnection: close\r\n\r\n")},
          Send{plain_bytes(c.size("n", 1024))}, Close{}};
}

Script status(const Context& c) {
  const std::uint64_t code = c.number("code", 200);
  return reply(code, "text/plain", bytes("status " + std::to_string(code) + "\n"));
}

Script echo(const Context& c) {
  std::string out = "{\"method\":" + json_string(c.request.method) +
                    ",\"target\":" + json_string(c.request.target) + ",\"headers\":[";
  bool first = true;
  for (const auto& [name, value] : c.request.headers) {
    if (!first) out += ',';
    first = false;
    out += "[" + json_string(name) + "," + json_string(value) + "]";
  }
  return json_reply(out + "],\"body\":" + json_string(c.request.body) + "}");
}

Script many_headers(const Context& c) {
  std::string fields;
  const std::uint64_t count = std::min<std::uint64_t>(c.number("count", 10), 10'000);
  const std::string value(std::min<std::uint64_t>(c.number("size", 8), 1'000'000), 'v');
  for (std::uint64_t i = 0; i < count; ++i) {
    fields += "X-Field-" + std::to_string(i) + ": " + value + "\r\n";
  }
  return json_reply("{\"count\":" + std::to_string(count) + "}", fields);
}

Script slow(const Context& c) {
  const Bytes body = plain_bytes(std::min<std::uint64_t>(c.number("bytes", 100), 1'000'000));
  const std::uint64_t chunk = std::max<std::uint64_t>(c.number("chunk", 10), 1);
  const milliseconds pause(c.number("ms", 100));
  Script script{Send{bytes(status_line(200) + "Content-Type: text/plain\r\nContent-Length: " +
                           std::to_string(body->size()) + "\r\n\r\n")}};
  for (std::uint64_t at = 0; at < body->size(); at += chunk) {
    script.emplace_back(Send{bytes(body->substr(at, chunk))});
    script.emplace_back(Wait{pause});
  }
  return script;
}

// Declares `declare` bytes, sends `send` of them, then ends in the way given.
Script cut(std::uint64_t declare, std::uint64_t send, Step end) {
  return {Send{bytes(status_line(200) + "Content-Type: text/plain\r\nContent-Length: " +
                     std::to_string(declare) + "\r\n\r\n")},
          Send{plain_bytes(send)}, std::move(end)};
}

Script reset(const Context& c) {
  const std::uint64_t after = c.size("after", 100);
  return cut(after + 1000, after, Reset{});
}

Script short_body(const Context& c) {
  return cut(c.size("declare", 1000), c.size("send", 100), Close{});
}

// More than declared: what follows the body must never be taken for the next answer.
Script long_body(const Context& c) {
  return {Send{bytes(status_line(200) + "Content-Type: text/plain\r\nContent-Length: 10\r\n\r\n")},
          Send{plain_bytes(10 + c.size("extra", 100))}};
}

Script garbage(const Context&) {
  return {Send{bytes("\x16\x03\x01 this is no HTTP\n\n")}, Close{}};
}

Script hang(const Context&) {
  return {Hang{}};
}

// Fails the first `fail` requests of a `key`, then answers; `how` is a status or "reset".
Script flaky(const Context& c) {
  static std::map<std::string, std::uint64_t> seen;
  const std::uint64_t attempt = ++seen[std::string(c.request.parameter("key", "default"))];
  if (attempt > c.number("fail", 1)) {
    return json_reply("{\"attempt\":" + std::to_string(attempt) + "}");
  }
  if (c.request.parameter("how") == "reset") return {Reset{}};
  return reply(c.number("status", 503), "text/plain", bytes("flaky\n"));
}

Script interim(const Context& c) {
  std::string heads;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(c.number("n", 1), 1000); ++i) {
    heads += i % 2 == 0 ? "HTTP/1.1 100 Continue\r\n\r\n"
                        : "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
  }
  Script script{Send{bytes(std::move(heads))}};
  for (Step& step : json_reply("{\"interim\":\"done\"}")) script.push_back(std::move(step));
  return script;
}

Script etag(const Context& c) {
  const std::string tag = "\"" + std::string(c.request.parameter("tag", "v1")) + "\"";
  constexpr std::string_view modified = "Sat, 01 Mar 2025 00:00:00 GMT";
  const std::string fields =
      "ETag: " + tag + "\r\nLast-Modified: " + std::string(modified) + "\r\n";
  const bool match =
      c.request.header("if-none-match") == tag || c.request.header("if-modified-since") == modified;
  return reply(match ? 304 : 200, "text/plain", bytes("validated\n"), fields);
}

Script show_counters(const Context& c) {
  if (c.number("reset", 0) != 0) c.counters.reset();
  return json_reply(c.counters.to_json());
}

struct Route {
  std::string_view path;
  std::string_view parameters;
  Script (*make)(const Context&);
};

// To add a route: write its function above and its row here; GET / lists the table.
constexpr Route routes[] = {
    {"/delay", "ms", delay},
    {"/bytes", "n, type, max_age", plain},
    {"/json", "records, type", json},
    {"/ndjson", "records", ndjson},
    {"/text", "text, type", text},
    {"/redirect", "to, status", redirect},
    {"/redirects", "n", redirects},
    {"/chunked", "n, chunk, trailers, extensions", chunked},
    {"/close", "n", close_delimited},
    {"/status", "code", status},
    {"/echo", "", echo},
    {"/headers", "count, size", many_headers},
    {"/slow", "bytes, chunk, ms", slow},
    {"/reset", "after", reset},
    {"/short", "declare, send", short_body},
    {"/long", "extra", long_body},
    {"/garbage", "", garbage},
    {"/hang", "", hang},
    {"/flaky", "key, fail, status, how", flaky},
    {"/interim", "n", interim},
    {"/etag", "tag", etag},
    {counters_path, "reset", show_counters},
};

const Route* find_route(std::string_view path) {
  const auto found = std::find_if(std::begin(routes), std::end(routes),
                                  [&](const Route& route) { return route.path == path; });
  return found == std::end(routes) ? nullptr : found;
}

Script index_page() {
  std::string page = "The test origin. Routes and their query parameters:\n";
  for (const Route& route : routes) {
    page.append(route.path).append("  ").append(route.parameters).append("\n");
  }
  return reply(200, "text/plain", bytes(std::move(page)));
}

}  // namespace

std::string_view counted_path(const Request& request) {
  const Route* route = find_route(request.path);
  return route == nullptr ? "(other)" : route->path;
}

Script answer(const Request& request, Counters& counters) {
  const Route* route = find_route(request.path);
  Script script = route != nullptr      ? route->make(Context{request, counters})
                  : request.path == "/" ? index_page()
                                        : reply(404, "text/plain", bytes("no such route\n"));
  if (request.method != "HEAD") return script;
  // A HEAD gets what comes before and with the head, and none of the body.
  const auto head = std::find_if(script.begin(), script.end(), [](const Step& step) {
    const Send* send = std::get_if<Send>(&step);
    return send != nullptr && !send->data->starts_with("HTTP/1.1 1");
  });
  if (head != script.end()) script.erase(head + 1, script.end());
  return script;
}

}  // namespace fetchmill::tests::origin
