#include "handlers/loop_report.hpp"

#include "server/systemd.hpp"

#include <algorithm>

namespace fetchmill::handlers {

bool LoopState::report(std::string_view message) {
  bool is_ready = false;
  bool failed = false;
  while (!message.empty()) {
    const std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(line.size() + 1, message.size()));
    constexpr std::string_view status_name = "STATUS=";
    if (line == server::watchdog_message) turns = true;
    if (line == "READY=1") is_ready = true;
    if (line == "RELOADING=1") ready = false;
    if (line == server::reload_failed_line) failed = true;
    if (line.starts_with(status_name)) status = line.substr(status_name.size());
  }
  if (!is_ready) return false;
  ready = true;
  reload_failed = failed;
  return true;
}

std::string status_of_all(std::span<const std::string> statuses) {
  std::string text = std::to_string(statuses.size()) + " loops";
  const bool same = std::ranges::adjacent_find(statuses, std::not_equal_to()) == statuses.end();
  if (same) return statuses.empty() ? text : text + ", each " + statuses.front();
  for (std::size_t i = 0; i < statuses.size(); ++i)
    text.append(i == 0 ? ": " : " | ").append(statuses[i]);
  return text;
}

}  // namespace fetchmill::handlers
