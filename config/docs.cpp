#include "config/docs.hpp"

#include "config/describe.hpp"
#include "config/error.hpp"
#include "config/metrics.hpp"

namespace fetchmill::config {

std::string errors_markdown() {
  std::string out =
      "# Errors\n\n"
      "Generated from `config/errors.def`.\n\n"
      "Errors are answered as RFC 9457 `application/problem+json`; `code` is one of these. "
      "`GET /errors/CODE` answers the same text. The same request may succeed when it is sent "
      "again only where \"retry\" says yes, or the error's own `retryable` is true. A head that is "
      "too large is `invalid_request` with status 414 (the request line) or 431 (the header "
      "fields).\n\n"
      "| code | status | retry | meaning | what to do |\n| --- | --- | --- | --- | --- |\n";
  for (const ErrorInfo& row : error_catalogue()) {
    out.append("| `").append(row.name).append("` | ").append(std::to_string(row.http_status));
    out.append(row.retryable ? " | yes | " : " | no | ").append(row.title);
    out.append(" | ").append(row.advice).append(" |\n");
  }
  return out;
}

std::string metrics_markdown() {
  std::string out =
      "# Metrics\n\n"
      "Generated from `config/metrics.def`.\n\n"
      "`GET /metrics` answers these in Prometheus text format, beside the standard `process_*`.\n\n"
      "| metric | type | labels | unit | meaning | what to do |\n"
      "| --- | --- | --- | --- | --- | --- |\n";
  const Metrics metrics;
  metrics.for_each_family([&](const auto& family) {
    const MetricInfo& row = family.info();
    out.append("| `").append(metric_prefix).append(row.name).append("` | ");
    out.append(to_string(row.type)).append(" |");
    for (const std::string_view label : row.labels) out.append(" `").append(label).append("`");
    out.append(" | ").append(row.unit).append(" | ").append(row.help);
    out.append(" | ").append(row.advice).append(" |\n");
  });
  return out;
}

std::vector<GeneratedFile> generated_files() {
  return {{"docs/settings.md", settings_markdown()},
          {"docs/metrics.md", metrics_markdown()},
          {"docs/errors.md", errors_markdown()},
          {"deploy/fetchmill.example.toml", example_toml()}};
}

}  // namespace fetchmill::config
