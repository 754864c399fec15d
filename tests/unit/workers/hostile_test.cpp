// Hostile workers beside honest ones: whatever the hostile do, every job ends once, honest results
// are exact, no input changes, and the loop keeps turning.
#include "hostile_worker.hpp"
#include "pool_fixture.hpp"

#include <string>

#include <boost/asio/post.hpp>
#include <simdjson.h>

namespace fetchmill::workers {
namespace {

// Names the job, so an honest worker's result can be told by it: the product takes the media type
// over from the input, the hostile ones never do.
std::string honest_type(std::size_t number) {
  return "text/honest-" + std::to_string(number);
}

std::string letters(std::size_t number, std::size_t bytes) {
  std::string out = std::to_string(number) + "-";
  for (std::size_t i = 0; out.size() < bytes; ++i)
    out += static_cast<char>('a' + (number + i) % 26);
  return out;
}

// Small ones mostly; each third needs a larger output.
std::size_t body_bytes(std::size_t number) {
  return number % 3 == 0 ? 9000 + number % 50'000 : 20 + number % 3000;
}

class HostileTest : public PoolTest {
 protected:
  static constexpr std::uint32_t worker_count = 4;

  // Honest workers would hold their areas for good, and hostile ones get no area any more: so they
  // are recycled.
  void start_beside_hostile(const HostilePlan& plan, std::uint64_t recycle_after_tasks = 200) {
    set_plan(plan);
    PoolOptions options = small_options(worker_count);
    options.task_timeout = std::chrono::milliseconds(200);
    options.recycle_after_tasks = recycle_after_tasks;
    start(options);
    for (std::size_t i = 0; i < 30; ++i) {
      kept_bodies_.push_back(letters(i, 100 + i * 3000));
      kept_slots_.push_back(slot(op("identity"), kept_bodies_.back()));
    }
    beat();
  }

  // Comes round once in each round of the loop's ready handlers.
  void beat() {
    boost::asio::post(loop_, [this] {
      handlers_between_beats_ = std::max(handlers_between_beats_, handlers_);
      handlers_ = 0;
      beat();
    });
  }

  // One handler after the other, so that they can be counted.
  template <class Condition>
  bool step_until(Condition condition) {
    const auto give_up = std::chrono::steady_clock::now() + 4 * patience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      loop_.restart();
      loop_.run_one();
      ++handlers_;
    }
    return true;
  }

  void submit_next() {
    const std::size_t number = jobs_.size();
    jobs_.push_back(std::make_unique<TestJob>());
    Slot given = slot(op("identity"), letters(number, body_bytes(number)));
    ASSERT_TRUE(given.describe(honest_type(number), {}));
    pool_->submit(*jobs_.back(), std::move(given),
                  {.encode_for_line = number % 2 == 0, .hash_result = number % 5 == 0});
  }

  // Keeps a window of jobs under way until so many are done and so many liars were ended.
  void drive(std::size_t jobs_min, std::uint64_t liars_min) {
    const auto enough = [&] { return done_ >= jobs_min && restarts("protocol") >= liars_min; };
    ASSERT_TRUE(step_until([&] {
      while (!enough() && jobs_.size() < done_ + window_) submit_next();
      while (first_open_ < jobs_.size() && jobs_[first_open_]->is_done()) ++first_open_;
      done_ = first_open_;
      remember_results();
      return enough();
    }));
    ASSERT_TRUE(step_until([&] {
      return std::all_of(jobs_.begin(), jobs_.end(),
                         [](const auto& job) { return job->is_done(); });
    }));
    remember_results();
  }

  // What a job gave when it was done, to be compared at the end.
  void remember_results() {
    while (results_.size() < jobs_.size() && jobs_[results_.size()]->is_done())
      results_.push_back(jobs_[results_.size()]->outcome());
  }

  void check_everything() {
    for (std::size_t i = 0; i < jobs_.size(); ++i) check_job(i);
    EXPECT_GT(honest_results_, jobs_.size() / 10);
    for (std::size_t i = 0; i < kept_slots_.size(); ++i)
      EXPECT_TRUE(kept_slots_[i].body() == kept_bodies_[i]) << "an input changed";
    kept_slots_.clear();
    EXPECT_TRUE(step_until([this] { return nothing_leased(); }));
    // A bell and a turn per area, reports, timers, and this test's own.
    EXPECT_LE(handlers_between_beats_, 4 * area_count(worker_count));
  }

  void check_job(std::size_t i) {
    TestJob& job = *jobs_[i];
    ASSERT_EQ(job.times_done(), 1) << i;
    EXPECT_TRUE(job.outcome() == results_[i]) << "result " << i << " changed when it was done";
    if (!job.ok()) return;
    const JobOutput& output = *job.result().output;
    const bool line = i % 2 == 0;
    if (line) check_line(output.bytes);
    if (output.media_type != honest_type(i)) {
      // A hostile worker's: anything of its own, but never another job's.
      EXPECT_EQ(output.media_type.find("text/honest"), std::string::npos) << output.media_type;
      return;
    }
    ++honest_results_;
    const std::string body = letters(i, body_bytes(i));
    EXPECT_TRUE(output.bytes == (line ? "\"" + body + "\"" : body))
        << i << ": " << output.bytes.substr(0, 200);
    EXPECT_EQ(output.hash.has_value(), i % 5 == 0);
  }

  static void check_line(const std::string& bytes) {
    simdjson::dom::parser parser;
    simdjson::dom::element value;
    EXPECT_EQ(parser.parse(bytes).get(value), simdjson::SUCCESS) << bytes.substr(0, 200);
    EXPECT_EQ(bytes.find('\n'), std::string::npos);
  }

  // Pages of outputs, which exist once they were written to.
  std::uint64_t output_pages() const {
    std::uint64_t count = 0;
    for (const Region& answers : forged_) {
      const std::span<std::byte> outputs = answers.all().subspan(small_outputs_offset);
      std::vector<unsigned char> present(outputs.size() / page_bytes);
      EXPECT_EQ(::mincore(outputs.data(), outputs.size(), present.data()), 0);
      count += static_cast<std::uint64_t>(std::count_if(
          present.begin(), present.end(), [](auto page) { return (page & 1U) != 0; }));
    }
    return count;
  }

  std::size_t window_ = 100;
  std::vector<std::unique_ptr<TestJob>> jobs_;
  std::vector<std::string> results_;
  std::vector<std::string> kept_bodies_;
  std::vector<Slot> kept_slots_;
  std::size_t first_open_ = 0;
  std::size_t done_ = 0;
  std::size_t honest_results_ = 0;
  std::uint32_t handlers_ = 0;
  std::uint32_t handlers_between_beats_ = 0;
};

// Of the first workers half are hostile then.
constexpr std::uint32_t every_other_area = 0xAAAAAAAA;
constexpr std::uint32_t all_areas = UINT32_MAX;

class EveryDeed : public HostileTest, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(EveryDeed, MisleadsNobody) {
  start_beside_hostile({.seed = GetParam(), .areas = every_other_area});
  drive(3000, 15);
  check_everything();
}

INSTANTIATE_TEST_SUITE_P(Seeds, EveryDeed, testing::Values(1, 2, 3));

// Each by itself, so that none hides behind another.
class OneDeed : public HostileTest, public testing::WithParamInterface<Deed> {};

TEST_P(OneDeed, MisleadsNobody) {
  start_beside_hostile({.seed = 7, .areas = every_other_area, .only = GetParam()});
  drive(300, 0);
  check_everything();
}

std::vector<Deed> all_deeds() {
  std::vector<Deed> deeds;
  for (unsigned i = 1; i < static_cast<unsigned>(Deed::count_); ++i)
    deeds.push_back(static_cast<Deed>(i));
  return deeds;
}
INSTANTIATE_TEST_SUITE_P(All, OneDeed, testing::ValuesIn(all_deeds()));

// These lies can only be told on purpose, so the worker that told one is gone.
class Lies : public HostileTest, public testing::WithParamInterface<Deed> {};

TEST_P(Lies, EndTheWorker) {
  start_beside_hostile({.seed = 11, .areas = every_other_area, .only = GetParam()});
  drive(50, 2);
  check_everything();
}

INSTANTIATE_TEST_SUITE_P(All, Lies,
                         testing::Values(Deed::other_task, Deed::twice, Deed::early,
                                         Deed::huge_index, Deed::index_back, Deed::greedy,
                                         Deed::ungranted, Deed::skip, Deed::bad_failure));

// What a hostile worker left in its area is never taken for its honest successor's word: such a
// worker would be given tasks before it is there, and be ended for answers that are not its own.
TEST_F(HostileTest, ADeadWorkerDoesNotSpeakForItsSuccessor) {
  // One at a time, so that the next ids are the ones guessed.
  window_ = 1;
  start_beside_hostile({.seed = 13, .areas = all_areas, .only = Deed::haunt, .honest_heirs = true},
                       4);
  drive(400, 0);
  check_everything();
  for (const std::unique_ptr<TestJob>& job : jobs_) {
    if (!job->ok()) continue;
    EXPECT_NE(job->result().output->media_type, ghosts_type);
  }
  EXPECT_GE(restarts("killed"), 20U) << "too few have haunted their areas";
  EXPECT_EQ(restarts("protocol"), 0U);
}

TEST_F(HostileTest, WhatAWorkerHoardedGoesBackWhenItEnds) {
  start_beside_hostile({.seed = 13, .areas = UINT32_MAX, .only = Deed::hoard});
  for (int i = 0; i < 1000 && restarts("killed") < 4; ++i) run(op("identity"), "small");
  EXPECT_GE(restarts("killed"), 4U);
  // But for the honest answers of those that live.
  EXPECT_TRUE(run_until([this] { return output_pages() <= forged_.size(); }));
}

TEST_F(HostileTest, AWorkerThatWasTakenOverCannotHaveInputsRefused) {
  set_plan({.areas = UINT32_MAX, .only = Deed::frame});
  start(worker_count);
  // From here on they lie, but for those that are new.
  ASSERT_TRUE(run_until_all_done(submit_many(10 * worker_count, op("identity"), "x")));
  EXPECT_EQ(run(op("identity"), deadly_input), "error: worker_crashed");
  ASSERT_TRUE(run_until([&] {
    pool_->publish_gauges();
    return metrics_.poisoned_inputs.get().value() == 1;
  }));
  EXPECT_EQ(run(op("identity"), "x"), "x") << "and not: " << framed_result;
}

// What such a worker does can be no other input's doing.
TEST_F(HostileTest, AnInputThatMakesNewWorkersLieIsRefused) {
  set_plan({.areas = UINT32_MAX, .only = Deed::frame});
  start(worker_count);
  EXPECT_EQ(run(op("identity"), lying_input), "error: worker_crashed");
  EXPECT_TRUE(run_until([&] {
    pool_->publish_gauges();
    return metrics_.poisoned_inputs.get().value() == 1;
  }));
  EXPECT_GE(restarts("protocol"), 3U);
}

}  // namespace
}  // namespace fetchmill::workers
