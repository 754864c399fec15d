#include "tests/support/origin/counters.hpp"

#include "tests/support/origin/bodies.hpp"

#include <algorithm>

namespace fetchmill::tests::origin {
namespace {

void reset_gauge(Gauge& gauge) {
  gauge.total = 0;
  gauge.open_max = gauge.open;
}

std::string gauge_json(const Gauge& gauge) {
  return "{\"total\":" + std::to_string(gauge.total) + ",\"open\":" + std::to_string(gauge.open) +
         ",\"open_max\":" + std::to_string(gauge.open_max) + "}";
}

}  // namespace

void Gauge::enter() {
  ++total;
  ++open;
  open_max = std::max(open_max, open);
}

void Counters::reset() {
  reset_gauge(connections);
  reset_gauge(requests);
  tls_connections = 0;
  for (auto& [path, gauge] : paths) reset_gauge(gauge);
}

std::string Counters::to_json() const {
  std::string text = "{\"connections\":" + gauge_json(connections) +
                     ",\"requests\":" + gauge_json(requests) +
                     ",\"tls_connections\":" + std::to_string(tls_connections) + ",\"paths\":{";
  bool first = true;
  for (const auto& [path, gauge] : paths) {
    if (!first) text += ',';
    first = false;
    text += json_string(path) + ":" + gauge_json(gauge);
  }
  return text += "}}";
}

}  // namespace fetchmill::tests::origin
