// The schemas of ops, steps and pipelines, from the tables of the ops. Pure.
#pragma once

#include <string>
#include <vector>

namespace fetchmill::handlers::openapi {

// Adds members of components.schemas: Pipeline, Step, OpInfo, PipelineInfo and one an op.
void add_pipeline_schemas(std::vector<std::string>& members);

// A schema: steps, or a name.
std::string pipeline_or_name();

}  // namespace fetchmill::handlers::openapi
