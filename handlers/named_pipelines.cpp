#include "handlers/named_pipelines.hpp"

#include "config/json_string.hpp"
#include "config/suggest.hpp"

#include <utility>
#include <vector>

namespace fetchmill::handlers {

using config::Error;
using config::ErrorCode;
using config::Result;

Result<std::string> named_pipeline(std::string_view name, std::string field,
                                   const config::Settings& settings) {
  std::vector<std::string_view> known;
  for (const config::Settings::Pipeline& pipeline : settings.named_pipelines) {
    if (pipeline.entry_name == name) return pipeline.steps;
    known.push_back(pipeline.entry_name);
  }
  return Error(ErrorCode::invalid_request,
               "there is no pipeline '" + std::string(name.substr(0, 100)) + '\'' +
                   config::did_you_mean(name, known) + "; GET /v1/pipelines lists those there are",
               std::move(field));
}

Result<void> allow_own_pipeline(std::string field, const config::Settings& settings) {
  if (!settings.pipelines.only) return {};
  return Error(ErrorCode::pipeline_denied,
               "this server runs only the pipelines that GET /v1/pipelines lists, by their names",
               std::move(field));
}

std::string pipelines_json(const config::Settings& settings) {
  std::string out = "{\"only\":";
  out += settings.pipelines.only ? "true" : "false";
  out += ",\"pipelines\":[";
  const char* separator = "";
  for (const config::Settings::Pipeline& pipeline : settings.named_pipelines) {
    out += std::exchange(separator, ",");
    out += "{\"name\":";
    config::append_json_string(out, pipeline.entry_name);
    out += ",\"summary\":";
    config::append_json_string(out, pipeline.summary);
    out += ",\"steps\":" + pipeline.steps + '}';
  }
  return out + "]}\n";
}

}  // namespace fetchmill::handlers
