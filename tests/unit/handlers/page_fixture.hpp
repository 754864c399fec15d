// Asks an immediate handler without a server.
#pragma once

#include "server/http/message.hpp"
#include "server/http/router.hpp"
#include "server/wire/head.hpp"

#include <string>
#include <string_view>

namespace fetchmill::handlers {

struct PageRequest {
  std::string_view path = "/";
  std::string_view host = "127.0.0.1:8080";
  std::string_view accept = {};
};

inline server::http::Response ask(const server::http::ImmediateHandler& handler,
                                  const PageRequest& page) {
  server::wire::RequestHead head;
  head.method = server::wire::Method::get;
  head.host = page.host;
  if (!page.accept.empty())
    head.fields.append({"Accept", page.accept, server::wire::FieldId::accept});
  server::http::Response response;
  handler({head, "request-1", page.path, {}}, response);
  return response;
}

inline constexpr std::string_view browser_accept =
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace fetchmill::handlers
