// An Activity is one line of control: a sequence of coroutines of which at most one waits at any
// time. It carries what interrupts the sequence (its deadline, its client hanging up, the server
// stopping), so that cancelling "whatever stage the task is in" is one call.
//
// A wait in a sequence is a Wait: an awaiter registered with its activity while it is suspended.
// Interrupting the activity withdraws the wait from whatever it waits for and resumes the sequence,
// which sees `interrupted()`. The state is sticky: later waits return at once, so the sequence
// unwinds by itself.
//
// Owner: whoever starts the sequence. Lifetime: outlives the sequence. Process: loop.
#pragma once

#include "config/error.hpp"
#include "server/deadlines.hpp"

#include <coroutine>
#include <optional>

namespace fetchmill::server {

using config::ErrorCode;

class Activity;

// The base of all awaiters that wait for an event of the loop.
class Wait {
 public:
  explicit Wait(Activity& activity) : activity_(activity) {}
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  // Resumes the sequence. The wait may be destroyed by it: touch nothing afterwards.
  void complete();

 protected:
  ~Wait() = default;
  // Takes the wait out of whatever would complete it.
  virtual void withdraw() = 0;
  // To be called by await_suspend.
  void suspend(std::coroutine_handle<> sequence);
  Activity& activity() { return activity_; }
  bool interrupted() const;

 private:
  friend class Activity;
  Activity& activity_;
  std::coroutine_handle<> sequence_;
};

class Activity {
 public:
  explicit Activity(Deadlines& wheel) : deadline_(wheel, *this) {}
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  // The first reason wins. Safe to call at any time, also while the sequence itself is running.
  void interrupt(ErrorCode why) {
    if (interrupted_) return;
    interrupted_ = why;
    if (Wait* wait = waiting_) {
      wait->withdraw();
      wait->complete();
    }
  }

  bool interrupted() const { return interrupted_.has_value(); }
  // Requires: interrupted().
  ErrorCode why() const { return *interrupted_; }

  TimePoint limit() const { return limit_; }
  Deadlines& wheel() { return deadline_.wheel(); }

 private:
  friend class Wait;
  friend class DeadlineScope;

  struct OwnDeadline : Deadline {
    OwnDeadline(Deadlines& wheel, Activity& activity_)
        : Deadline(wheel, &OwnDeadline::fire), activity(activity_) {}
    static void fire(Deadline& deadline);
    Activity& activity;
  };

  OwnDeadline deadline_;
  TimePoint limit_ = TimePoint::max();
  ErrorCode limit_code_ = ErrorCode::deadline_exceeded;
  std::optional<ErrorCode> interrupted_;
  bool expired_ = false;  // it was the deadline that interrupted
  Wait* waiting_ = nullptr;
};

// Tightens the activity's deadline for one scope; nested scopes can only shorten it. When the scope
// that expired ends, the activity may go on (an attempt timed out, the task has time left).
class DeadlineScope {
 public:
  DeadlineScope(Activity& activity, TimePoint at, ErrorCode code);
  DeadlineScope(const DeadlineScope&) = delete;
  DeadlineScope& operator=(const DeadlineScope&) = delete;
  ~DeadlineScope();

  // True when it was this scope's own deadline that interrupted the activity.
  bool expired() const;

 private:
  Activity& activity_;
  TimePoint outer_limit_;
  ErrorCode outer_code_;
  bool was_interrupted_;
  bool tightened_;
  ErrorCode code_;
};

inline bool Wait::interrupted() const {
  return activity_.interrupted();
}

inline void Wait::suspend(std::coroutine_handle<> sequence) {
  sequence_ = sequence;
  activity_.waiting_ = this;
}

inline void Wait::complete() {
  activity_.waiting_ = nullptr;
  sequence_.resume();
}

// Waits until `at`, or until the activity is interrupted.
class SleepUntil : public Wait {
 public:
  SleepUntil(Activity& activity, TimePoint at)
      : Wait(activity), timer_(activity.wheel(), *this), at_(at) {}
  bool await_ready() const { return interrupted(); }
  void await_suspend(std::coroutine_handle<> sequence) {
    suspend(sequence);
    timer_.arm(at_);
  }
  void await_resume() const {}

 private:
  struct OwnTimer : Deadline {
    OwnTimer(Deadlines& wheel, SleepUntil& sleep_)
        : Deadline(wheel,
                   [](Deadline& deadline) { static_cast<OwnTimer&>(deadline).sleep.complete(); }),
          sleep(sleep_) {}
    SleepUntil& sleep;
  };
  void withdraw() override { timer_.disarm(); }

  OwnTimer timer_;
  TimePoint at_;
};

}  // namespace fetchmill::server
