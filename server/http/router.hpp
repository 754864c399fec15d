// The route table: which handler answers which path and method. Routes are data, made in
// handlers/routes.cpp.
//
// Process: loop. Lifetime: the table is made once and outlives all sessions.
#pragma once

#include "server/coroutine.hpp"
#include "server/http/message.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fetchmill::server::http {

class Exchange;

// Answers at once, from memory: no waiting, no request body. `response` arrives empty and is
// reused.
using ImmediateHandler = std::function<void(const Request& request, Response& response)>;
// A sequence that may wait, read a body and stream its response. It must respond exactly once.
using ExchangeHandler = std::function<Task<void>(Exchange& exchange)>;

using MethodSet = std::uint8_t;
inline constexpr MethodSet method_get = 1;
inline constexpr MethodSet method_head = 2;
inline constexpr MethodSet method_post = 4;

struct Route {
  std::string_view
      path;  // exact; with a final '/', everything below it as well ("/" itself is exact)
  std::string_view name;  // the value of the `route` label
  MethodSet methods;
  std::variant<ImmediateHandler, ExchangeHandler> handler;
};

class Router {
 public:
  explicit Router(std::vector<Route> routes);

  // A route of just this path before one above it; null when there is neither.
  const Route* find(std::string_view path) const;
  const std::vector<Route>& routes() const { return routes_; }

  // The bit of a method, 0 for one that no route can have.
  static MethodSet bit(wire::Method method);
  // "GET, HEAD": their names. Every route answers OPTIONS as well, without being asked.
  static std::string allow(MethodSet methods);

 private:
  std::vector<Route> routes_;
};

}  // namespace fetchmill::server::http
