// Identical requests under way: the first leads, the others follow and wait for what comes of it
// ("collapsed requests", RFC 9111 §4).
//
// Owner: CachedFetch. Lifetime: outlives every Lead and Follow. Process: loop. Followers are
// resumed in the turns after their flight has ended, so many in each, never from within its leader.
#pragma once

#include "server/activity.hpp"
#include "server/intrusive_list.hpp"
#include "server/turns.hpp"

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

namespace fetchmill::server::fetch::cache {

class Flights final : private Deferred {
 public:
  class Follow;

 private:
  struct Flight {
    IntrusiveList<Follow> followers;
    bool shares = false;
  };
  using Map = std::unordered_map<std::string, Flight>;
  using Node = Map::value_type;  // stays where it is; iterators do not

 public:
  explicit Flights(Turns& turns) : turns_(turns) {}

  // What each does then takes microseconds; thousands would hold up the others.
  static constexpr std::size_t followers_per_turn = 64;

  // The duty to end a flight. Dropped, it passes to a follower.
  class Lead {
   public:
    Lead() = default;
    Lead(Lead&& other) noexcept
        : flights_(std::exchange(other.flights_, nullptr)), flight_(other.flight_) {}
    Lead& operator=(Lead&& other) noexcept {
      std::swap(flights_, other.flights_);
      std::swap(flight_, other.flight_);
      return *this;
    }
    ~Lead() { pass_on(); }
    explicit operator bool() const { return flights_ != nullptr; }

    // The answer is one that others may use: it is worth waiting for, however long it takes.
    void share() {
      if (flights_) flight_->second.shares = true;
    }
    // `stored`: followers look into the store; else they all go themselves.
    void land(bool stored) {
      if (flights_) std::exchange(flights_, nullptr)->land(*flight_, stored);
    }
    // A follower asks in its place.
    void pass_on() {
      if (flights_) std::exchange(flights_, nullptr)->pass_on(*flight_);
    }

   private:
    friend class Flights;
    Lead(Flights& flights, Node& flight) : flights_(&flights), flight_(&flight) {}
    Flights* flights_ = nullptr;
    Node* flight_ = nullptr;
  };

  bool is_under_way(const std::string& key) const { return flights_.contains(key); }
  // Whether it is known to be worth waiting for.
  bool shares(const std::string& key) const {
    const auto flight = flights_.find(key);
    return flight != flights_.end() && flight->second.shares;
  }
  // Requires: !is_under_way(key).
  Lead lead(const std::string& key) { return {*this, *flights_.try_emplace(key).first}; }

  enum class Landing : std::uint8_t {
    interrupted,  // the activity was
    look,         // the answer was stored
    go,           // there is none for others
    lead,         // the leader gave up: yours now
  };
  struct Landed {
    Landing landing = Landing::interrupted;
    Lead lead;
  };

 private:
  void land(Node& flight, bool stored);
  void pass_on(Node& flight);
  void wake(Follow& follow, Landing landing);
  void run() override;

  Turns& turns_;
  Map flights_;
  IntrusiveList<Follow> landed_;
};

// Awaitable: Landed. Requires: flights.is_under_way(key).
class [[nodiscard]] Flights::Follow final : public Wait, public ListHook {
 public:
  Follow(Activity& activity, Flights& flights, const std::string& key)
      : Wait(activity), flights_(flights), flight_(*flights.flights_.find(key)) {}
  ~Follow() = default;
  bool await_ready() const { return interrupted(); }
  void await_suspend(std::coroutine_handle<> sequence) {
    suspend(sequence);
    flight_.second.followers.push_back(*this);
  }
  Landed await_resume() {
    Landed landed;
    if (landing_ == Landing::lead) landed.lead = Lead(flights_, flight_);
    if (!interrupted()) landed.landing = landing_;
    return landed;
  }

 private:
  friend class Flights;
  void withdraw() override { unlink(); }

  Flights& flights_;
  Node& flight_;
  Landing landing_ = Landing::interrupted;
};

}  // namespace fetchmill::server::fetch::cache
