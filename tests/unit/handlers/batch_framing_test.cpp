// How outcomes stand in a batch's response, and when a silent stream says that it lives.
#include "handlers/batch_framing.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using namespace std::chrono_literals;
using server::TimePoint;

const std::string two =
    "{\"type\":\"result\",\"index\":0,\"id\":\"\\\"index\\\":9\"}\n"
    "{\"type\":\"error\",\"index\":17}\n";
const std::string summary = "{\"type\":\"summary\"}\n";

TEST(BatchFramingTest, Lines) {
  Framing framing(Format::ndjson, 15s);
  EXPECT_EQ(framing.outcomes(two), two);
  EXPECT_EQ(framing.end(summary), summary);
}

TEST(BatchFramingTest, ADocument) {
  Framing framing(Format::json, 15s);
  EXPECT_EQ(framing.outcomes("{\"index\":0}\n"), "{\"outcomes\":[{\"index\":0}");
  EXPECT_EQ(framing.outcomes("{\"index\":1}\n{\"index\":2}\n"), ",{\"index\":1},{\"index\":2}");
  EXPECT_EQ(framing.end(summary), "],\"summary\":{\"type\":\"summary\"}}\n");
  EXPECT_EQ(Framing(Format::json, 15s).end(summary),
            "{\"outcomes\":[],\"summary\":{\"type\":\"summary\"}}\n");
}

TEST(BatchFramingTest, Events) {
  Framing framing(Format::events, 15s);
  EXPECT_EQ(
      framing.outcomes(two),
      "event: outcome\nid: 0\ndata: {\"type\":\"result\",\"index\":0,\"id\":\"\\\"index\\\":9\"}"
      "\n\nevent: outcome\nid: 17\ndata: {\"type\":\"error\",\"index\":17}\n\n");
  EXPECT_EQ(framing.end(summary), "event: summary\ndata: {\"type\":\"summary\"}\n\n");
}

TEST(BatchFramingTest, OnlyEventsHaveAHeartbeat) {
  constexpr TimePoint now{1000s};
  const struct {
    Format format;
    TimePoint deadline, at;
    bool is_heartbeat;
  } cases[] = {
      {Format::events, TimePoint::max(), now + 15s, true},
      {Format::events, now + 16s, now + 15s, true},
      {Format::events, now + 15s, now + 15s, false},
      {Format::events, now + 1s, now + 1s, false},
      {Format::ndjson, TimePoint::max(), TimePoint::max(), false},
      {Format::ndjson, now + 1h, now + 1h, false},
      {Format::json, TimePoint::max(), TimePoint::max(), false},
  };
  for (const auto& row : cases) {
    const Framing::Wake wake = Framing(row.format, 15s).next_wake(now, row.deadline);
    EXPECT_EQ(wake.at, row.at);
    EXPECT_EQ(wake.is_heartbeat, row.is_heartbeat);
  }
  // A comment, which ends no event and begins none.
  EXPECT_EQ(Framing::heartbeat, ":\n\n");
}

}  // namespace
}  // namespace fetchmill::handlers
