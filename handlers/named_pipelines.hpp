// Pipelines that the operator gave a name: [pipelines.NAME]. Pure.
//
// Errors: invalid_request (no pipeline of that name), pipeline_denied (pipelines.only).
#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"

#include <string>
#include <string_view>

namespace fetchmill::handlers {

// The canonical text of the pipeline of that name. `field` is what errors call it.
config::Result<std::string> named_pipeline(std::string_view name, std::string field,
                                           const config::Settings& settings);

// Whether clients may say themselves what is to be done, as they do in `field`.
config::Result<void> allow_own_pipeline(std::string field, const config::Settings& settings);

// The body of GET /v1/pipelines.
std::string pipelines_json(const config::Settings& settings);

}  // namespace fetchmill::handlers
