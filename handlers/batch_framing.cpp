#include "handlers/batch_framing.hpp"

#include <utility>

namespace fetchmill::handlers {
namespace {

// The number behind the first "index", which stands before anything a client chose.
std::string_view index_of(std::string_view outcome) {
  constexpr std::string_view name = "\"index\":";
  const std::string_view rest = outcome.substr(outcome.find(name) + name.size());
  return rest.substr(0, rest.find_first_not_of("0123456789"));
}

}  // namespace

std::string Framing::outcomes(std::string lines) {
  if (format_ == Format::ndjson) return lines;
  std::string out;
  out.reserve(lines.size() + 16);
  for (std::string_view rest = lines; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    append_outcome(out, rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return out;
}

std::string Framing::end(std::string summary) const {
  if (format_ == Format::ndjson) return summary;
  if (format_ == Format::events) return "event: summary\ndata: " + summary + '\n';
  summary.pop_back();
  return (begun_ ? "],\"summary\":" : "{\"outcomes\":[],\"summary\":") + summary + "}\n";
}

Framing::Wake Framing::next_wake(server::TimePoint now, server::TimePoint deadline) const {
  const server::TimePoint heartbeat_at =
      format_ == Format::events ? now + heartbeat_every_ : server::TimePoint::max();
  if (heartbeat_at < deadline) return {heartbeat_at, true};
  return {deadline, false};
}

void Framing::append_outcome(std::string& out, std::string_view line) {
  if (format_ == Format::events) {
    out += "event: outcome\nid: ";
    out += index_of(line);
    out += "\ndata: ";
    out += line;
    out += "\n\n";
    return;
  }
  out += std::exchange(begun_, true) ? "," : "{\"outcomes\":[";
  out += line;
}

}  // namespace fetchmill::handlers
