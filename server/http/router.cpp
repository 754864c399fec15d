#include "server/http/router.hpp"

#include <algorithm>

namespace fetchmill::server::http {

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {}

const Route* Router::find(std::string_view path) const {
  const auto exact = std::ranges::find(routes_, path, &Route::path);
  if (exact != routes_.end()) return &*exact;
  const auto above = std::ranges::find_if(routes_, [path](const Route& route) {
    return route.path.size() > 1 && route.path.ends_with('/') && path.starts_with(route.path);
  });
  return above != routes_.end() ? &*above : nullptr;
}

MethodSet Router::bit(wire::Method method) {
  switch (method) {
    case wire::Method::get:
      return method_get;
    case wire::Method::head:
      return method_head;
    case wire::Method::post:
      return method_post;
    default:
      return 0;
  }
}

std::string Router::allow(MethodSet methods) {
  std::string list;
  const auto add = [&](MethodSet method, std::string_view name) {
    if (!(methods & method)) return;
    if (!list.empty()) list += ", ";
    list += name;
  };
  add(method_get, "GET");
  add(method_head, "HEAD");
  add(method_post, "POST");
  return list;
}

}  // namespace fetchmill::server::http
