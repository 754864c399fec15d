// The schema of how a fetch went, as `debug` tells it. Pure.
#pragma once

#include <string>

namespace fetchmill::handlers::openapi {

std::string debug_schema();

}  // namespace fetchmill::handlers::openapi
