// The schemas of task fields that say what the caller has already. Pure.
#pragma once

#include <string>
#include <vector>

namespace fetchmill::handlers::openapi {

// Members of a schema's properties.
std::vector<std::string> condition_fields();

}  // namespace fetchmill::handlers::openapi
