#include "server/fetch/http_date.hpp"
#include "server/fetch/retry.hpp"

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

using config::ErrorCode;
using std::chrono::seconds;
using wire::Method;

std::string reason(const Failure& failure, Method method) {
  const std::optional<RetryReason> found = retry_reason(failure, method);
  return found ? std::string(to_string(*found)) : "none";
}

TEST(Retry, DependsOnHowFarTheRequestCame) {
  struct Case {
    Failure failure;
    std::string when_idempotent, when_not;
  };
  const auto status = [](unsigned code) {
    return Failure{ErrorCode::upstream_status, false, code, true, true};
  };
  const Case cases[] = {
      // Nothing was sent.
      {{ErrorCode::connect_failed, false, 0, false, false}, "connect_failed", "connect_failed"},
      {{ErrorCode::dns_failed, true, 0, false, false}, "dns_failed", "dns_failed"},
      {{ErrorCode::dns_failed, false, 0, false, false}, "none", "none"},
      {{ErrorCode::tls_failed, true, 0, false, false}, "tls_failed", "tls_failed"},
      {{ErrorCode::tls_failed, false, 0, false, false}, "none", "none"},
      {{ErrorCode::upstream_protocol, false, 0, false, false}, "no_answer", "no_answer"},
      // An idle connection took it along when it broke, and no other could be had.
      {{ErrorCode::connect_failed, false, 0, true, false}, "connect_failed", "none"},
      // The upstream may have acted on it.
      {{ErrorCode::upstream_protocol, false, 0, true, false}, "no_answer", "none"},
      // There was an answer, or a part of one.
      {{ErrorCode::upstream_protocol, false, 0, true, true}, "none", "none"},
      {status(429), "429", "none"},
      {status(502), "502", "none"},
      {status(503), "503", "none"},
      {status(504), "504", "none"},
      {status(500), "none", "none"},
      {status(501), "none", "none"},
      {status(408), "none", "none"},
      {status(404), "none", "none"},
      {status(301), "none", "none"},
      // Another try would end the same, or nobody waits for it.
      {{ErrorCode::upstream_timeout, false, 0, true, false}, "none", "none"},
      {{ErrorCode::cancelled, false, 0, false, false}, "none", "none"},
      {{ErrorCode::draining, false, 0, false, false}, "none", "none"},
      {{ErrorCode::overloaded, false, 0, false, false}, "none", "none"},
      {{ErrorCode::address_denied, false, 0, false, false}, "none", "none"},
      {{ErrorCode::circuit_open, false, 0, false, false}, "none", "none"},
      {{ErrorCode::rate_limited, false, 0, false, false}, "none", "none"},
      {{ErrorCode::upstream_body_too_large, false, 0, true, true}, "none", "none"},
      {{ErrorCode::too_many_redirects, false, 0, true, true}, "none", "none"},
  };
  for (const Case& c : cases) {
    const auto name = [&](Method method) {
      return std::string(config::info(c.failure.code).name) + " " +
             std::to_string(c.failure.status) + " " + std::string(to_string(method));
    };
    for (const Method method :
         {Method::get, Method::head, Method::put, Method::delete_, Method::options})
      EXPECT_EQ(reason(c.failure, method), c.when_idempotent) << name(method);
    for (const Method method : {Method::post, Method::patch})
      EXPECT_EQ(reason(c.failure, method), c.when_not) << name(method);
  }
}

TEST(Retry, TheStatusesAreThoseThatErrorsCallRetryable) {
  for (unsigned status = 100; status < 600; ++status) {
    const Failure failure{ErrorCode::upstream_status, false, status, true, true};
    EXPECT_EQ(retry_reason(failure, Method::get).has_value(), config::is_passing_status(status))
        << status;
  }
}

TEST(Retry, BacksOffAnywhereBelowADoublingCeiling) {
  const struct {
    unsigned retry;
    milliseconds ceiling;
  } cases[] = {{0, milliseconds(500)},    {1, milliseconds(1000)},   {2, milliseconds(2000)},
               {4, milliseconds(8'000)},  {5, milliseconds(10'000)}, {31, milliseconds(10'000)},
               {64, milliseconds(10'000)}};
  for (const auto& c : cases) {
    const auto ceiling = static_cast<std::uint64_t>(Clock::duration(c.ceiling).count());
    EXPECT_EQ(backoff(c.retry, 0).count(), 0) << c.retry;
    EXPECT_EQ(backoff(c.retry, ceiling), c.ceiling) << c.retry;
    EXPECT_EQ(backoff(c.retry, ceiling + 1).count(), 0) << c.retry;
    EXPECT_LE(backoff(c.retry, ~std::uint64_t{0}), c.ceiling) << c.retry;
  }
}

TEST(Retry, WaitsAsLongAsItMay) {
  const auto no_jitter = std::uint64_t{0};
  const struct {
    unsigned retry;
    std::uint64_t retries_max;
    milliseconds retry_after, time_left;
    std::uint64_t random;
    std::optional<milliseconds> wait;
  } cases[] = {
      {0, 2, milliseconds(0), seconds(9), no_jitter, milliseconds(0)},
      {1, 2, milliseconds(0), seconds(9), no_jitter, milliseconds(0)},
      {2, 2, milliseconds(0), seconds(9), no_jitter, std::nullopt},
      {0, 0, milliseconds(0), seconds(9), no_jitter, std::nullopt},
      {0, 2, seconds(3), seconds(9), no_jitter, seconds(3)},
      {0, 2, seconds(3), seconds(9), 50'000'000, milliseconds(3'050)},
      {0, 2, seconds(9), seconds(9), no_jitter, std::nullopt},
      {0, 2, milliseconds(8'999), seconds(9), no_jitter, milliseconds(8'999)},
      {0, 2, milliseconds(8'999), seconds(9), 1'000'000, std::nullopt},
      {0, 2, std::chrono::hours(9000), seconds(9), no_jitter, std::nullopt},
      {0, 2, milliseconds(0), milliseconds(0), no_jitter, std::nullopt},
      {0, 2, milliseconds(0), milliseconds(-5), no_jitter, std::nullopt},
  };
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    const auto& c = cases[i];
    EXPECT_EQ(retry_wait(c.retry, c.retries_max, c.retry_after, c.time_left, c.random), c.wait)
        << i;
  }
  EXPECT_TRUE(retry_wait(0, 1, milliseconds(0), Clock::duration::max(), no_jitter));
}

// 1994-11-06T08:49:37Z
constexpr std::chrono::sys_seconds example{seconds(784'111'777)};

TEST(Retry, ReadsRetryAfter) {
  const struct {
    std::string text;
    std::optional<milliseconds> wait;
  } cases[] = {
      {"0", milliseconds(0)},
      {"120", seconds(120)},
      {"007", seconds(7)},
      {"Sun, 06 Nov 1994 08:49:37 GMT", seconds(0)},
      {"Sun, 06 Nov 1994 08:49:39 GMT", seconds(2)},
      {"Sun, 06 Nov 1994 08:49:00 GMT", seconds(0)},
      {"Fri, 31 Dec 1999 23:59:59 GMT", std::chrono::hours(24 * 366)},
      {"Fri, 31 Dec 9999 23:59:59 GMT", std::chrono::hours(24 * 366)},
      {"Sun, 01 Jan 0000 00:00:00 GMT", seconds(0)},
      {"99999999999999999999999", std::chrono::hours(24 * 366)},
      {"9223372036854775807", std::chrono::hours(24 * 366)},
      {"", std::nullopt},
      {"-1", std::nullopt},
      {"+1", std::nullopt},
      {"1.5", std::nullopt},
      {"5 s", std::nullopt},
      {"soon", std::nullopt},
  };
  for (const auto& c : cases)
    EXPECT_EQ(parse_retry_after(c.text, example + milliseconds(250)), c.wait) << c.text;
}

TEST(HttpDate, ReadsTheThreeForms) {
  const struct {
    std::string text;
    std::optional<std::int64_t> epoch_seconds;
  } cases[] = {
      {"Sun, 06 Nov 1994 08:49:37 GMT", 784'111'777},
      {"Sunday, 06-Nov-94 08:49:37 GMT", 784'111'777},
      {"Sun Nov  6 08:49:37 1994", 784'111'777},
      {"Wed Nov 16 08:49:37 1994", 784'975'777},
      {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
      {"Thu, 29 Feb 2024 23:59:59 GMT", 1'709'251'199},
      {"Sat, 31 Dec 2016 23:59:60 GMT", 1'483'228'800},
      // Two digits: at most 50 years ahead of 1994.
      {"Friday, 06-Nov-44 08:49:37 GMT", 2'362'034'977},
      {"Monday, 06-Nov-45 08:49:37 GMT", -762'189'023},
      {"", std::nullopt},
      {"Sun, 06 Nov 1994 08:49:37", std::nullopt},
      {"Sun, 06 Nov 1994 08:49:37 GMT ", std::nullopt},
      {"Sun, 06 Nov 1994 08:49:37 UTC", std::nullopt},
      {"Sun, 6 Nov 1994 08:49:37 GMT", std::nullopt},
      {"sun, 06 Nov 1994 08:49:37 GMT", std::nullopt},
      {"Sun, 06 nov 1994 08:49:37 GMT", std::nullopt},
      {"Sun, 31 Nov 1994 08:49:37 GMT", std::nullopt},
      {"Sun, 00 Nov 1994 08:49:37 GMT", std::nullopt},
      {"Tue, 29 Feb 2023 00:00:00 GMT", std::nullopt},
      {"Sun, 06 Nov 1994 24:00:00 GMT", std::nullopt},
      {"Sun, 06 Nov 1994 08:60:37 GMT", std::nullopt},
      {"Sun, 06 Nov 1994 08:49:61 GMT", std::nullopt},
      {"Sun, 06-Nov-94 08:49:37 GMT", std::nullopt},
      {"Sun Nov    08:49:37 1994", std::nullopt},
      {"Sun Nov 6 08:49:37 1994", std::nullopt},
  };
  for (const auto& c : cases) {
    const auto date = parse_http_date(c.text, example);
    ASSERT_EQ(date.has_value(), c.epoch_seconds.has_value()) << c.text;
    if (date) {
      EXPECT_EQ(date->time_since_epoch().count(), *c.epoch_seconds) << c.text;
    }
  }
}

// Any time will do, as long as it goes on from there.
constexpr TimePoint budget_start{std::chrono::hours(1)};

TEST(TokenBucket, FillsAtItsRateUpToItsCapacity) {
  TokenBucket bucket(4, 2);
  EXPECT_TRUE(bucket.try_take(budget_start));
  EXPECT_TRUE(bucket.try_take(budget_start));
  EXPECT_FALSE(bucket.try_take(budget_start));
  EXPECT_EQ(bucket.until(1, budget_start), milliseconds(250));
  EXPECT_EQ(bucket.until(3, budget_start), milliseconds(750));
  EXPECT_FALSE(bucket.try_take(budget_start + milliseconds(249)));
  EXPECT_EQ(std::chrono::floor<milliseconds>(bucket.until(1, budget_start + milliseconds(249))),
            milliseconds(1));
  EXPECT_TRUE(bucket.try_take(budget_start + milliseconds(250)));
  EXPECT_FALSE(bucket.full(budget_start + milliseconds(749)));
  EXPECT_TRUE(bucket.full(budget_start + milliseconds(750)));
  const TimePoint later = budget_start + std::chrono::hours(1);
  EXPECT_EQ(bucket.until(2, later).count(), 0);
  EXPECT_TRUE(bucket.try_take(later));
  EXPECT_TRUE(bucket.try_take(later));
  EXPECT_FALSE(bucket.try_take(later));
}

TEST(TokenBucket, IsThereWhenItSaidItWouldBe) {
  for (const double rate : {0.3, 1.0, 3.0, 7.0, 999.0, 1'000'000.0}) {
    TokenBucket bucket(rate, 1);
    TimePoint now = budget_start;
    for (int i = 0; i < 1000; ++i) {
      ASSERT_TRUE(bucket.try_take(now)) << rate << " " << i;
      now += bucket.until(1, now);
    }
    const std::chrono::duration<double> passed = now - budget_start;
    EXPECT_NEAR(passed.count() * rate, 1000, 2) << rate;
  }
}

TEST(RetryBudget, LetsThroughAFifthOfTheRequestsAndAFew) {
  RetryBudget budget;
  int retries = 0;
  // An outage: within one second 10,000 requests fail, and each would be sent again.
  for (int i = 0; i < 10'000; ++i) {
    budget.count_request();
    retries += budget.try_retry(budget_start + std::chrono::microseconds(100) * i);
  }
  EXPECT_NEAR(retries, 2'000 + 100 + 10, 2);
}

TEST(RetryBudget, KeepsAFewForWhoeverAsksLittle) {
  RetryBudget budget;
  int retries = 0;
  for (int i = 0; i < 100; ++i) retries += budget.try_retry(budget_start);
  EXPECT_EQ(retries, 100);
  EXPECT_FALSE(budget.try_retry(budget_start));
  EXPECT_TRUE(budget.try_retry(budget_start + milliseconds(100)));
  EXPECT_FALSE(budget.try_retry(budget_start + milliseconds(100)));
  // What a long time brings is bounded.
  retries = 0;
  for (int i = 0; i < 1000; ++i) retries += budget.try_retry(budget_start + std::chrono::hours(24));
  EXPECT_EQ(retries, 100);
}

}  // namespace
}  // namespace fetchmill::server::fetch
