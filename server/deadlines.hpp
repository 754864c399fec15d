// Deadlines: one coarse timer wheel for all of the loop's time limits.
//
// Arming is a few stores and never a system call while the wheel is turning: a deadline that only
// moves later (the keep-alive limit of a busy connection) keeps its place and is looked at again
// when that place comes round. Resolution is 16 ms, always late, never early. An empty wheel does
// not wake the process.
//
// Owner: the engine; a Deadline belongs to what it limits and unlinks itself. Process: loop.
// Source: Varghese & Lauck, "Hashed and hierarchical timing wheels", 1987 (the hashed form).
#pragma once

#include "server/loop.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace fetchmill::server {

class Deadlines;

class Deadline {
 public:
  using Fire = void (*)(Deadline&);

  // `fire` is called from the loop, once per arming, with the deadline already disarmed. It may arm
  // it again or destroy it.
  Deadline(Deadlines& wheel, Fire fire) : wheel_(wheel), fire_(fire) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { unlink(); }

  void arm(TimePoint at);
  void disarm() { at_ = TimePoint::max(); }
  bool armed() const { return at_ != TimePoint::max(); }
  TimePoint at() const { return at_; }
  Deadlines& wheel() { return wheel_; }

 private:
  friend class Deadlines;
  void unlink();

  Deadlines& wheel_;
  Fire fire_;
  TimePoint at_ = TimePoint::max();
  std::uint64_t tick_ = 0;  // where it is linked
  Deadline* next_ = nullptr;
  Deadline* previous_ = nullptr;  // null: not linked
};

class Deadlines {
 public:
  explicit Deadlines(asio::io_context& io);
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  void stop();

  static constexpr milliseconds resolution{16};

 private:
  friend class Deadline;
  struct Bucket {
    Deadline* first = nullptr;  // of a circular list
  };
  // 4,096 buckets of 16 ms: 65 s, so that the longest default limit (60 s) is looked at once.
  static constexpr std::size_t bucket_count = 4096;

  std::uint64_t tick_of(TimePoint at) const;
  void link(Deadline& deadline, std::uint64_t tick);
  void catch_up();
  void schedule(std::uint64_t tick);
  void advance();
  void fire_bucket(std::uint64_t tick, TimePoint now);
  std::uint64_t next_occupied(std::uint64_t after) const;

  Timer timer_;
  TimePoint start_;
  std::uint64_t now_tick_ = 0;  // every bucket up to here has been looked at
  std::uint64_t wake_tick_;     // what the timer is set to; max: not set
  std::size_t linked_ = 0;
  bool advancing_ = false;
  std::array<Bucket, bucket_count> buckets_{};
};

}  // namespace fetchmill::server
