#include "handlers/trace_json.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace fetchmill::handlers {
namespace {

using server::Clock;
using server::fetch::AttemptTrace;
using server::fetch::FetchTrace;
using server::fetch::cache::CacheReport;
using server::fetch::cache::CacheResult;
using server::fetch::cache::Forward;

server::fetch::Url a_url() {
  return *server::fetch::parse_url("http://a.example/x");
}

TEST(TraceJson, SaysOnlyWhatIsKnown) {
  FetchTrace trace(Clock::now());
  EXPECT_EQ(trace_field(trace, {}), R"({"attempts":[]})");
  trace.begin_attempt(a_url(), true);
  trace.attempt().begun = trace.begun() + std::chrono::microseconds(1500);
  EXPECT_EQ(trace_field(trace, {}),
            R"({"attempts":[{"url":"http://a.example/x","at_ms":1.500,"reused":true,)"
            R"("timings_ms":{}}]})");
}

TEST(TraceJson, SaysHowLongAPauseHeldAnAttempt) {
  FetchTrace trace(Clock::now());
  trace.held(std::chrono::microseconds(1000));
  trace.held(std::chrono::microseconds(500));
  for (const std::string_view expected : {R"("held_ms":1.500,)", ""}) {
    trace.begin_attempt(a_url(), true);
    trace.attempt().begun = trace.begun();
    EXPECT_TRUE(
        trace_field(trace, {}).ends_with(R"({"url":"http://a.example/x",)" + std::string(expected) +
                                         R"("at_ms":0.000,"reused":true,"timings_ms":{}}]})"))
        << trace_field(trace, {});
  }
}

TEST(TraceJson, SaysWhatTheCacheDecided) {
  const FetchTrace trace(Clock::now());
  const struct {
    CacheReport report;
    std::string_view expected;
  } cases[] = {
      {{.result = CacheResult::hit, .ttl = std::chrono::seconds(9)},
       R"({"cache":"fetchmill; hit; ttl=9","attempts":[]})"},
      {{.result = CacheResult::stale, .ttl = std::chrono::seconds(-9)},
       R"({"cache":"fetchmill; hit; ttl=-9","attempts":[]})"},
      {{.result = CacheResult::miss, .forward = Forward::uri_miss},
       R"({"cache":"fetchmill; fwd=uri-miss","attempts":[]})"},
      // Nothing was stored, and nobody was asked.
      {{.result = CacheResult::not_cached}, R"({"attempts":[]})"},
  };
  for (const auto& row : cases) {
    EXPECT_EQ(trace_field(trace, row.report), row.expected);
    std::string json;
    append_trace(json, trace, row.report);
    EXPECT_EQ(json, row.expected);
  }
}

TEST(TraceJson, AnAttemptEndsOnce) {
  FetchTrace trace(Clock::now());
  trace.end_attempt({}, 200, {});
  trace.begin_attempt(a_url(), false);
  trace.end_attempt(config::Error(config::ErrorCode::connect_failed, "refused"), 0, {});
  trace.end_attempt({}, 200, {});
  ASSERT_EQ(trace.attempts().size(), 1u);
  EXPECT_EQ(trace.attempts()[0].status, 0u);
  EXPECT_EQ(trace.attempts()[0].error->code, config::ErrorCode::connect_failed);
}

TEST(TraceJson, AFieldIsAscii) {
  FetchTrace trace(Clock::now());
  trace.begin_attempt(a_url(), false);
  trace.attempt().error = config::Error(config::ErrorCode::tls_failed,
                                        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xff\x01");
  const std::string field = trace_field(trace, {});
  EXPECT_NE(field.find(R"(caf\u00e9 \u20ac \ud83d\ude00 \ufffd\u0001)"), std::string::npos)
      << field;
  for (const char c : field) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << field;
}

TEST(TraceJson, AFieldKeepsTheLastAttempts) {
  FetchTrace trace(Clock::now());
  for (int i = 0; i < 100; ++i) {
    trace.begin_attempt(a_url(), false);
    trace.attempt().error =
        config::Error(config::ErrorCode::connect_failed, std::string(500, 'a') + std::to_string(i));
  }
  const std::string field = trace_field(trace, {});
  EXPECT_LE(field.size(), trace_field_bytes_max);
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(field);
  const std::size_t kept = document["attempts"].get_array().size();
  EXPECT_GT(kept, 5u);
  EXPECT_EQ(document["attempts_left_out"].get_uint64().value() + kept, 100u);
  EXPECT_NE(field.find("a99"), std::string::npos);
  std::string whole;
  append_trace(whole, trace, {});
  EXPECT_EQ(parser.parse(whole)["attempts"].get_array().size(), 100u);
}

}  // namespace
}  // namespace fetchmill::handlers
