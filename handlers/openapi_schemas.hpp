// The schemas of the OpenAPI document: what clients send and receive.
#pragma once

#include "config/settings.hpp"

#include <string>

namespace fetchmill::handlers::openapi {

// The value of components.schemas.
std::string schemas(const config::Settings& settings);

}  // namespace fetchmill::handlers::openapi
