// The error of a fetch whose activity was interrupted.
#pragma once

#include "config/error.hpp"
#include "server/activity.hpp"

#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

// `doing` goes on the words "the time ran out while"; `fault` is what that means, where it is not
// the upstream's answer that did not come. Requires: activity.interrupted().
inline config::Error interrupted(const Activity& activity, std::string_view doing,
                                 config::FetchFault fault = config::FetchFault::none) {
  const bool late = activity.why() != ErrorCode::cancelled && activity.why() != ErrorCode::draining;
  config::Error error(activity.why(), (late ? "the time ran out while " : "interrupted while ") +
                                          std::string(doing));
  if (late) error.fault = fault;
  return error;
}

}  // namespace fetchmill::server::fetch
