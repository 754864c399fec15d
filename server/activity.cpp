#include "server/activity.hpp"

namespace fetchmill::server {

void Activity::OwnDeadline::fire(Deadline& deadline) {
  Activity& activity = static_cast<OwnDeadline&>(deadline).activity;
  activity.expired_ = !activity.interrupted();
  activity.interrupt(activity.limit_code_);
}

DeadlineScope::DeadlineScope(Activity& activity, TimePoint at, ErrorCode code)
    : activity_(activity),
      outer_limit_(activity.limit_),
      outer_code_(activity.limit_code_),
      was_interrupted_(activity.interrupted()),
      tightened_(at < activity.limit_),
      code_(code) {
  if (!tightened_) return;
  activity_.limit_ = at;
  activity_.limit_code_ = code;
  activity_.deadline_.arm(at);
}

bool DeadlineScope::expired() const {
  return tightened_ && !was_interrupted_ && activity_.interrupted() && activity_.expired_ &&
         activity_.why() == code_;
}

DeadlineScope::~DeadlineScope() {
  if (!tightened_) return;
  if (expired()) {
    activity_.interrupted_.reset();
    activity_.expired_ = false;
  }
  activity_.limit_ = outer_limit_;
  activity_.limit_code_ = outer_code_;
  if (outer_limit_ == TimePoint::max())
    activity_.deadline_.disarm();
  else
    activity_.deadline_.arm(outer_limit_);
}

}  // namespace fetchmill::server
