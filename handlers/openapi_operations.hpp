// The operations of the OpenAPI document: one row per method of a route.
#pragma once

#include "config/error.hpp"

#include <string_view>
#include <vector>

namespace fetchmill::handlers::openapi {

// A method of a route. To add a route: add its rows below.
struct Operation {
  std::string_view route;   // as in the route table
  std::string_view path;    // the same as an OpenAPI template
  std::string_view method;  // in lower case
  std::string_view id;
  std::string_view tag;
  std::string_view summary;
  std::vector<std::string_view> parameters = {};  // names of components.parameters
  std::string_view request = {};                  // by a name of content(); empty: no body
  std::string_view response;                      // of a 200, by a name of content()
  std::vector<std::string_view> headers = {};     // of a 200, names of components.headers
  bool may_be_unchanged = false;                  // 304, with the same headers
  std::string_view unavailable = {};  // of a 503 that is no problem, by a name of content()
  bool has_envelope = false;          // errors may come as an outcome instead of a problem
  std::vector<config::ErrorCode> errors = {};  // besides common_errors()
};

// In the order of the document; the rows of one path stand together.
const std::vector<Operation>& operations();

// Any client may be told these by any route, before a handler sees the request.
const std::vector<config::ErrorCode>& common_errors();

// The value of an OpenAPI `content` by the name that operations use.
std::string_view content(std::string_view name);

}  // namespace fetchmill::handlers::openapi
