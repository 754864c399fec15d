// What a loop tells its parent, in the words of sd_notify(3), and what that makes of several. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fetchmill::handlers {

struct LoopState {
  bool ready = false;
  bool reload_failed = false;
  bool turns = false;  // since the watchdog was fed last
  std::string status;

  // Takes over a message. True when the loop has become ready by it.
  bool report(std::string_view message);
};

// A line for people: "2 loops, each serving on …", or what each says where they differ.
std::string status_of_all(std::span<const std::string> statuses);

}  // namespace fetchmill::handlers
