// The allocator of bodies (workers/slots.cpp) at a tiny shape: three bodies that come, grow, wait,
// are retried, sent or processed, in every short order and in long random ones. After each step the
// books add up and no two bodies touch; from wherever a sequence ends, everybody gets to their end.
#include "workers/slots.hpp"

#include "workers/region.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

constexpr std::uint64_t body_max = 256 * 1024;
constexpr std::size_t body_count = 3;
// Into a small slot, beyond it, beyond a medium one.
constexpr std::array<std::uint64_t, 3> pieces{2'000, 40'000, 150'000};

// One of each class that others may take, beside the last large range. `spare` is what the budget
// has beyond the reserve: from too little for one more large body to enough for it.
SlotShape tiny_shape(std::uint64_t spare) {
  SlotShape shape = *slot_shape(std::uint64_t{64} << 20U, body_max);
  shape.small_count = 2;
  shape.medium_count = 2;
  shape.large_count = 2;
  shape.budget_bytes = shape.reserve_bytes() + spare;
  // So little that most room takes several turns to come free.
  shape.give_back_bytes_max = 32 * 1024;
  return shape;
}

// What a handler does with one body, waiting included.
class Body final : public RoomWaiter {
 public:
  enum class State : std::uint8_t { none, growing, waiting, processed };

  Body(SlotPool& pool, char letter) : pool_(pool), letter_(letter) {}

  State state() const { return state_; }
  bool live() const { return slot_ || sealed_; }
  std::string_view body() const { return slot_.body(); }
  const Slot& slot() const { return slot_; }
  bool full() const { return slot_ && slot_.body().size() == body_max; }

  void come(std::uint64_t expected) {
    expected_ = expected;
    state_ = State::waiting;
    if (!lease()) pool_.wait(*this, SlotPool::WaitFor::lease);
  }
  void grow(std::uint64_t bytes) {
    wanted_ = std::min(bytes, body_max - slot_.body().size());
    state_ = State::waiting;
    if (!append()) pool_.wait(*this, SlotPool::WaitFor::growth, slot_);
  }
  void retry() { slot_.clear_body(); }
  // Given to a worker, which runs while the task is still wanted: two pins.
  void submit() {
    sealed_ = pool_.seal(std::move(slot_));
    pool_.pin(*sealed_);
    state_ = State::processed;
  }
  void answered() {
    pool_.unpin(*sealed_);
    pool_.unpin(*sealed_);
    sealed_.reset();
    state_ = State::none;
  }
  // The client is gone, or all was sent.
  void leave() {
    pool_.cancel(*this);
    slot_.release();
    state_ = State::none;
  }

  bool try_again() override { return slot_ ? append() : lease(); }

  // Where its bytes are.
  std::pair<std::uint64_t, std::uint64_t> place(const std::byte* region) const {
    if (sealed_) {
      const SlotPool::Place place = pool_.place(*sealed_);
      return {place.offset, place.offset + place.bytes};
    }
    const auto end = static_cast<std::uint64_t>(
        reinterpret_cast<const std::byte*>(slot_.body().data() + slot_.body().size()) - region);
    return {end - slot_.body().size() - sizeof(SlotHeader), end};
  }
  bool intact() const {
    return !slot_ || (slot_.body().find_first_not_of(letter_) == std::string_view::npos &&
                      slot_.pipeline() == "[]");
  }

 private:
  bool lease() {
    config::Result<Slot> slot = pool_.lease("[]", expected_);
    if (!slot) return false;
    slot_ = std::move(*slot);
    state_ = State::growing;
    return true;
  }
  bool append() {
    const config::Result<std::span<char>> room = slot_.writable(wanted_);
    if (!room) return false;
    std::memset(room->data(), letter_, wanted_);
    slot_.commit(wanted_);
    state_ = State::growing;
    return true;
  }

  SlotPool& pool_;
  char letter_;
  Slot slot_;
  std::optional<std::uint32_t> sealed_;
  std::uint64_t expected_ = 0;
  std::uint64_t wanted_ = 0;
  State state_ = State::none;
};

class SlotsModel : public testing::TestWithParam<std::uint64_t> {
 protected:
  SlotsModel() : shape_(tiny_shape(GetParam())) {
    const SharedFile file = *make_shared_file("inputs", shape_.address_bytes());
    region_ = *Region::map(file.writable, shape_.address_bytes(), Access::read_write);
  }

  void begin() {
    bodies_.clear();
    hinted_ = false;
    pool_ =
        std::make_unique<SlotPool>(region_.all(), shape_, UINT32_MAX, [this] { hinted_ = true; });
    for (std::size_t i = 0; i < body_count; ++i)
      bodies_.push_back(std::make_unique<Body>(*pool_, static_cast<char>('a' + i)));
  }

  // What could happen next, told by number. Also with an order of arrival that does not matter:
  // equal bodies come in their order.
  std::vector<std::pair<std::size_t, int>> possible() const {
    std::vector<std::pair<std::size_t, int>> steps;
    bool first_to_come = true;
    for (std::size_t i = 0; i < body_count; ++i) {
      const auto add = [&](int first, int last) {
        for (int step = first; step <= last; ++step) steps.emplace_back(i, step);
      };
      switch (bodies_[i]->state()) {
        case Body::State::none:
          if (std::exchange(first_to_come, false)) add(0, 1);
          break;
        case Body::State::growing:
          add(bodies_[i]->full() ? 5 : 2, 7);
          break;
        case Body::State::waiting:
          add(7, 7);
          break;
        case Body::State::processed:
          add(8, 8);
          break;
      }
    }
    if (hinted_) steps.emplace_back(body_count, 0);
    return steps;
  }

  void take(std::pair<std::size_t, int> step) {
    if (step.first == body_count) return serve();
    Body& body = *bodies_[step.first];
    if (step.second <= 1) return body.come(step.second == 0 ? 0 : 100'000);
    if (step.second <= 4) return body.grow(pieces[static_cast<std::size_t>(step.second - 2)]);
    if (step.second == 5) return body.retry();
    if (step.second == 6) return body.submit();
    step.second == 7 ? body.leave() : body.answered();
  }

  void serve() {
    hinted_ = false;
    pool_->serve_waiters();
  }

  void check() const {
    const SlotPool::Usage usage = pool_->usage();
    ASSERT_LE(usage.claimed_bytes, usage.resident_bytes);
    ASSERT_LE(usage.resident_bytes, usage.budget_bytes);
    ASSERT_LE(usage.open_bytes, usage.budget_bytes - shape_.reserve_bytes());
    std::uint32_t live = 0;
    std::uint32_t waiting = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
    for (const auto& body : bodies_) {
      waiting += body->state() == Body::State::waiting ? 1 : 0;
      if (!body->live()) continue;
      ++live;
      places.push_back(body->place(region_.all().data()));
      ASSERT_TRUE(body->intact());
    }
    ASSERT_EQ(usage.leased_slots, live);
    ASSERT_EQ(usage.waiters, waiting);
    ASSERT_EQ(usage.claimed_bytes == 0, live == 0);
    std::sort(places.begin(), places.end());
    for (std::size_t i = 1; i < places.size(); ++i)
      ASSERT_LE(places[i - 1].second, places[i].first);
  }

  // Nobody gives up any more: each wants to grow to the largest body and then be processed.
  void finish() {
    for (bool moved = true; std::exchange(moved, false);) {
      for (const auto& body : bodies_) {
        if (body->state() == Body::State::growing) {
          moved = true;
          body->full() ? body->submit() : body->grow(pieces[2]);
        }
      }
      if (moved) continue;
      if (hinted_) {
        moved = true;
        serve();
        continue;
      }
      for (const auto& body : bodies_) {
        if (body->state() != Body::State::processed) continue;
        moved = true;
        body->answered();
        break;
      }
    }
    for (const auto& body : bodies_)
      ASSERT_EQ(body->state(), Body::State::none) << "waits, and nobody can go on";
    ASSERT_EQ(pool_->usage().leased_slots, 0U);
    ASSERT_EQ(pool_->usage().claimed_bytes, 0U);
  }

  // The sequence whose choices these are; returns how many there were at its last step.
  std::size_t run(const std::vector<std::size_t>& choices) {
    begin();
    for (const std::size_t choice : choices) {
      const auto steps = possible();
      if (choice >= steps.size()) return 0;
      take(steps[choice]);
    }
    check();
    const std::size_t count = possible().size();
    finish();
    return count;
  }

  void explore(std::vector<std::size_t>& choices, std::size_t depth) {
    const std::size_t count = run(choices);
    ++sequences_;
    if (HasFatalFailure() || choices.size() == depth) return;
    for (std::size_t choice = 0; choice < count && !HasFatalFailure(); ++choice) {
      choices.push_back(choice);
      explore(choices, depth);
      choices.pop_back();
    }
  }

  SlotShape shape_;
  Region region_;
  std::unique_ptr<SlotPool> pool_;
  std::vector<std::unique_ptr<Body>> bodies_;
  bool hinted_ = false;
  std::uint64_t sequences_ = 0;
};

TEST_P(SlotsModel, EveryShortSequence) {
  std::vector<std::size_t> choices;
  explore(choices, 4);
  EXPECT_GT(sequences_, 1'000U);
}

TEST_P(SlotsModel, LongRandomSequences) {
  std::mt19937 random(1);
  for (int round = 0; round < 60 && !HasFatalFailure(); ++round) {
    begin();
    for (int step = 0; step < 200 && !HasFatalFailure(); ++step) {
      const auto steps = possible();
      take(steps[random() % steps.size()]);
      check();
      // From anywhere all get to their end, and what they leave warm is what the next begin with.
      if (random() % 16 == 0) finish();
    }
    finish();
  }
}

INSTANTIATE_TEST_SUITE_P(Spare, SlotsModel,
                         testing::Values(128 * 1024, 256 * 1024, 320 * 1024, 384 * 1024,
                                         512 * 1024));

}  // namespace
}  // namespace fetchmill::workers
