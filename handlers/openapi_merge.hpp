// The schema of what a client of /v1/merge sends. Pure.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <vector>

namespace fetchmill::handlers::openapi {

// Adds a member of components.schemas: Merge.
void add_merge_schemas(const config::Settings& settings, std::vector<std::string>& members);

}  // namespace fetchmill::handlers::openapi
