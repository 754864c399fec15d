// The error of a fetch whose activity was interrupted.
#pragma once

#include "config/error.hpp"
#include "server/activity.hpp"

#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

// `doing` goes on the words "the time ran out while". Requires: activity.interrupted().
inline config::Error interrupted(const Activity& activity, std::string_view doing) {
  const bool late = activity.why() != ErrorCode::cancelled && activity.why() != ErrorCode::draining;
  return config::Error(activity.why(), (late ? "the time ran out while " : "interrupted while ") +
                                           std::string(doing));
}

}  // namespace fetchmill::server::fetch
