// How the outcomes of a batch stand in its response: lines as they are, the members of one JSON
// document, or events (WHATWG HTML, server-sent events). Pure.
#pragma once

#include "server/loop.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace fetchmill::handlers {

enum class Format : std::uint8_t { ndjson, json, events };
inline constexpr std::array<std::string_view, 3> format_types{
    "application/x-ndjson", "application/json", "text/event-stream"};

class Framing {
 public:
  // `heartbeat_every`: after how much silence a stream of events has one.
  Framing(Format format, server::milliseconds heartbeat_every)
      : format_(format), heartbeat_every_(heartbeat_every) {}

  // `lines`: outcomes, each with its newline.
  std::string outcomes(std::string lines);
  // What comes last; `summary` with its newline.
  std::string end(std::string summary) const;

  // Until when to wait for an outcome, and whether it is the heartbeat that is due then.
  struct Wake {
    server::TimePoint at;
    bool is_heartbeat;
  };
  Wake next_wake(server::TimePoint now, server::TimePoint deadline) const;
  // A comment.
  static constexpr std::string_view heartbeat = ":\n\n";

 private:
  void append_outcome(std::string& out, std::string_view line);

  Format format_;
  server::milliseconds heartbeat_every_;
  bool begun_ = false;
};

}  // namespace fetchmill::handlers
