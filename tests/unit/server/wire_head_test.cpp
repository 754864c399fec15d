#include "server/wire/head.hpp"
#include "tests/support/beast_heads.hpp"
#include "tests/support/http_cases.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace fetchmill::server::wire {
namespace {

using support::get_with;
using support::response_with;

// Every arrival of more bytes is read out of a buffer of its own, as if the old one had moved.
struct Outcome {
  HeadResult result;
  std::size_t bytes_needed = 0;
  std::string buffer;
};

template <class Parse>
Outcome feed(std::string_view bytes, std::size_t piece, Parse parse) {
  Outcome outcome;
  HeadProgress progress;
  constexpr std::size_t moving_bytes_max = 4096;
  if (bytes.size() > moving_bytes_max) outcome.buffer = bytes;
  for (std::size_t arrived = 0; arrived < bytes.size();) {
    arrived = std::min(arrived + piece, bytes.size());
    if (bytes.size() <= moving_bytes_max) outcome.buffer = std::string(bytes.substr(0, arrived));
    outcome.result = parse(std::string_view(outcome.buffer).substr(0, arrived), progress);
    outcome.bytes_needed = arrived;
    if (outcome.result.status != HeadStatus::incomplete) break;
    EXPECT_GE(progress.scanned + 1, arrived) << "bytes would be looked at again";
  }
  return outcome;
}

Outcome feed_request(std::string_view bytes, std::size_t piece, RequestHead& head) {
  return feed(bytes, piece, [&head](std::string_view arrived, HeadProgress& progress) {
    return parse_request_head(arrived, progress, head);
  });
}

Outcome feed_response(std::string_view bytes, std::size_t piece, ResponseHead& head,
                      Method method = Method::get) {
  return feed(bytes, piece, [&](std::string_view arrived, HeadProgress& progress) {
    return parse_response_head(arrived, method, progress, head);
  });
}

RequestHead accepted(const std::string& bytes) {
  RequestHead head;
  HeadProgress progress;
  const auto result = parse_request_head(bytes, progress, head);
  EXPECT_EQ(result.status, HeadStatus::complete) << info(result.refusal).name << "\n" << bytes;
  return head;
}

ResponseHead accepted_response(const std::string& bytes, Method method = Method::get) {
  ResponseHead head;
  HeadProgress progress;
  const auto result = parse_response_head(bytes, method, progress, head);
  EXPECT_EQ(result.status, HeadStatus::complete) << info(result.refusal).name << "\n" << bytes;
  return head;
}

Refusal refusal_of(const std::string& bytes, const HeadLimits& limits = {}) {
  RequestHead head;
  HeadProgress progress;
  const auto result = parse_request_head(bytes, progress, head, limits);
  EXPECT_EQ(result.status == HeadStatus::refused, result.refusal != Refusal::none);
  return result.refusal;
}

HeadStatus status_of(const std::string& bytes, const HeadLimits& limits = {}) {
  RequestHead head;
  HeadProgress progress;
  return parse_request_head(bytes, progress, head, limits).status;
}

TEST(RequestHead, RefusesEveryCaseHoweverItArrives) {
  RequestHead head;
  for (const auto& one : support::request_refusals()) {
    for (const std::size_t piece : support::piece_sizes) {
      const auto outcome = feed_request(one.bytes, piece, head);
      EXPECT_EQ(outcome.result.status, HeadStatus::refused) << one.name << " by " << piece;
      EXPECT_EQ(info(outcome.result.refusal).name, info(one.refusal).name)
          << one.name << " by " << piece;
    }
  }
}

TEST(ResponseHead, RefusesEveryCaseHoweverItArrives) {
  ResponseHead head;
  for (const auto& one : support::response_refusals()) {
    for (const std::size_t piece : support::piece_sizes) {
      const auto outcome = feed_response(one.bytes, piece, head);
      EXPECT_EQ(outcome.result.status, HeadStatus::refused) << one.name << " by " << piece;
      EXPECT_EQ(info(outcome.result.refusal).name, info(one.refusal).name)
          << one.name << " by " << piece;
    }
  }
}

TEST(RequestHead, AcceptsEveryCaseHoweverItArrives) {
  for (const auto& one : support::accepted_requests()) {
    for (const std::size_t piece : support::piece_sizes) {
      RequestHead head;
      const auto outcome = feed_request(one.bytes, piece, head);
      ASSERT_EQ(outcome.result.status, HeadStatus::complete)
          << one.name << " by " << piece << ": " << info(outcome.result.refusal).name;
      EXPECT_EQ(head.bytes, one.bytes.size()) << one.name;
      EXPECT_EQ(outcome.bytes_needed, one.bytes.size()) << one.name << " by " << piece;
      EXPECT_EQ(support::difference_from_beast(outcome.buffer, head), "") << one.name;
    }
  }
}

TEST(RequestHead, EveryReasonOfRequestsHasACase) {
  std::set<Refusal> seen;
  for (const auto& one : support::request_refusals()) seen.insert(one.refusal);
  for (const auto& one : support::response_refusals()) seen.insert(one.refusal);
  for (const auto& one : support::chunked_refusals()) seen.insert(one.refusal);
  for (const auto& row : refusal_catalogue()) {
    if (row.refusal == Refusal::none) continue;
    EXPECT_TRUE(seen.contains(row.refusal)) << row.name;
  }
}

TEST(RequestHead, SaysWhatItRead) {
  const std::string bytes =
      "POST /v1/process?op=hash HTTP/1.1\r\nHost: localhost:8080\r\nCONTENT-length: 42\r\n"
      "X-Own:\t a b \t\r\n\r\nGET";
  const auto head = accepted(bytes);
  EXPECT_EQ(head.method, Method::post);
  EXPECT_EQ(head.method_text, "POST");
  EXPECT_EQ(head.target, "/v1/process?op=hash");
  EXPECT_EQ(head.target_text, head.target);
  EXPECT_EQ(head.minor_version, 1U);
  EXPECT_EQ(head.host, "localhost:8080");
  EXPECT_EQ(head.framing, Framing::length);
  EXPECT_EQ(head.content_length, 42U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expect_continue);
  EXPECT_EQ(head.bytes, bytes.size() - 3);
  ASSERT_EQ(head.fields.size(), 3U);
  EXPECT_EQ(head.fields[1].name, "CONTENT-length");
  EXPECT_EQ(head.fields[1].id, FieldId::content_length);
  EXPECT_EQ(head.fields[2].id, FieldId::unknown);
  EXPECT_EQ(head.fields[2].value, "a b");
  EXPECT_EQ(head.fields.value(FieldId::host), "localhost:8080");
  EXPECT_EQ(head.fields.find("x-own"), &head.fields[2]);
  EXPECT_EQ(head.fields.find("x-ow"), nullptr);
  EXPECT_EQ(head.fields.find(FieldId::unknown), nullptr);
  EXPECT_EQ(head.fields.value(FieldId::accept), "");
}

TEST(RequestHead, AnUnknownMethodIsAMethod) {
  const std::string bytes = "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n";
  const auto head = accepted(bytes);
  EXPECT_EQ(head.method, Method::unknown);
  EXPECT_EQ(head.method_text, "BREW");
  EXPECT_EQ(accepted("get / HTTP/1.1\r\nHost: a\r\n\r\n").method, Method::unknown);
}

TEST(RequestHead, AbsoluteFormIsRoutedByItsPath) {
  const std::string bytes = "GET HTTPS://A:80/x?y=http://b/ HTTP/1.1\r\nHost: a:80\r\n\r\n";
  const auto head = accepted(bytes);
  EXPECT_EQ(head.target, "/x?y=http://b/");
  EXPECT_EQ(head.target_text, "HTTPS://A:80/x?y=http://b/");
}

TEST(RequestHead, FramingFollowsTheFields) {
  EXPECT_EQ(accepted(get_with("")).framing, Framing::none);
  const std::string chunked = get_with("transfer-encoding: \tChunKed \r\n");
  EXPECT_EQ(accepted(chunked).framing, Framing::chunked);
  const std::string longest = get_with("Content-Length: 999999999999999999\r\n");
  EXPECT_EQ(accepted(longest).content_length, 999999999999999999U);
  for (const auto& bytes : {chunked, longest}) {
    EXPECT_EQ(support::difference_from_beast(bytes, accepted(bytes)), "");
  }
}

TEST(RequestHead, FramingOfAnEarlierHeadIsForgotten) {
  RequestHead head;
  HeadProgress progress;
  const std::string first = get_with("Content-Length: 5\r\nConnection: close\r\n");
  ASSERT_EQ(parse_request_head(first, progress, head).status, HeadStatus::complete);
  const std::string second = get_with("");
  ASSERT_EQ(parse_request_head(second, progress, head).status, HeadStatus::complete);
  EXPECT_EQ(head.framing, Framing::none);
  EXPECT_EQ(head.content_length, 0U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.fields.size(), 1U);
}

TEST(RequestHead, KeepAliveFollowsVersionAndConnection) {
  const auto keep_alive = [](std::string_view version, std::string_view fields) {
    return accepted("GET / " + std::string(version) + "\r\nHost: a\r\n" + std::string(fields) +
                    "\r\n")
        .keep_alive;
  };
  EXPECT_TRUE(keep_alive("HTTP/1.1", ""));
  EXPECT_TRUE(keep_alive("HTTP/1.1", "Connection: Upgrade, TE\r\n"));
  EXPECT_FALSE(keep_alive("HTTP/1.1", "Connection: TE ,\t CLOSE\r\n"));
  EXPECT_FALSE(keep_alive("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
  EXPECT_TRUE(keep_alive("HTTP/1.1", "Connection: closed\r\n"));
  EXPECT_FALSE(keep_alive("HTTP/1.0", ""));
  EXPECT_TRUE(keep_alive("HTTP/1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(keep_alive("HTTP/1.0", "Connection: keep-alive, close\r\n"));
}

TEST(RequestHead, ContinueIsExpectedOnlyBeforeABody) {
  EXPECT_TRUE(accepted(get_with("Expect: 100-Continue\r\nContent-Length: 1\r\n")).expect_continue);
  EXPECT_TRUE(
      accepted(get_with("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n")).expect_continue);
  EXPECT_FALSE(accepted(get_with("Expect: 100-continue\r\nContent-Length: 0\r\n")).expect_continue);
  EXPECT_FALSE(accepted(get_with("Expect: 100-continue\r\n")).expect_continue);
  EXPECT_FALSE(accepted("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n"
                        "Content-Length: 1\r\n\r\n")
                   .expect_continue);
}

TEST(RequestHead, RefusesAsSoonAsItSees) {
  EXPECT_EQ(refusal_of("\x16"), Refusal::control_character);
  EXPECT_EQ(refusal_of("GET /\n"), Refusal::bare_lf);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: a\rb"), Refusal::bare_cr);
  EXPECT_EQ(refusal_of("GET / HTTP/2.0\r\n"), Refusal::unsupported_version);
  EXPECT_EQ(refusal_of("\r\n"), Refusal::leading_empty_line);
}

TEST(RequestHead, IsIncompleteUntilItsLastByte) {
  const std::string bytes = get_with("X: y\r\n");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(status_of(bytes.substr(0, size)), HeadStatus::incomplete) << size;
  }
  EXPECT_EQ(status_of(bytes), HeadStatus::complete);
}

TEST(RequestHead, EveryControlCharacterIsRefusedEverywhere) {
  // Long enough for the scan's eight-byte steps, with the byte at every offset of a step.
  for (int c = 0; c < 0x80; ++c) {
    const bool is_control = (c < ' ' && c != '\t') || c == 0x7f;
    for (std::size_t offset = 0; offset < 9; ++offset) {
      std::string value(24, '\xfe');
      value[offset] = static_cast<char>(c);
      EXPECT_EQ(status_of(get_with("X: a" + value + "\r\n")),
                is_control ? HeadStatus::refused : HeadStatus::complete)
          << c << " at " << offset;
    }
  }
}

// They are looked for in several bytes at once.
TEST(RequestHead, NoByteHidesOrMakesAControlCharacterBesideIt) {
  const auto is_control = [](int byte) { return (byte < 0x20 && byte != '\t') || byte == 0x7f; };
  for (int left = 0; left < 256; ++left) {
    for (int right = 0; right < 256; ++right) {
      const std::string pair{static_cast<char>(left), static_cast<char>(right)};
      const std::string bytes = get_with("X: 1234567" + pair + "1234567\r\n");
      const bool refused = is_control(left) || is_control(right);
      ASSERT_EQ(status_of(bytes), refused ? HeadStatus::refused : HeadStatus::complete)
          << left << " " << right;
    }
  }
}

TEST(RequestHead, LimitsAreTheCallers) {
  const std::string bytes = get_with("X: y\r\n");
  const std::size_t line_bytes = std::string_view("GET / HTTP/1.1").size();
  EXPECT_EQ(status_of(bytes, {line_bytes, bytes.size(), 2}), HeadStatus::complete);
  EXPECT_EQ(refusal_of(bytes, {line_bytes - 1, bytes.size(), 2}), Refusal::start_line_too_long);
  EXPECT_EQ(refusal_of(bytes, {line_bytes, bytes.size() - 1, 2}), Refusal::head_too_large);
  EXPECT_EQ(refusal_of(bytes, {line_bytes, bytes.size(), 1}), Refusal::too_many_fields);
  EXPECT_EQ(refusal_of(get_with(support::repeated_fields(100)), {8192, 32768, 1000}),
            Refusal::too_many_fields)
      << "the array is the last limit";
}

TEST(RequestHead, ABadRequestBehindAGoodOneIsItsOwn) {
  const std::string good = get_with("X: y\r\n");
  RequestHead head;
  for (const auto& bad : support::request_refusals()) {
    HeadProgress progress;
    const std::string bytes = good + bad.bytes;
    ASSERT_EQ(parse_request_head(bytes, progress, head).status, HeadStatus::complete) << bad.name;
    ASSERT_EQ(head.bytes, good.size());
    const auto second =
        parse_request_head(std::string_view(bytes).substr(head.bytes), progress, head);
    EXPECT_EQ(second.status, HeadStatus::refused) << bad.name;
    EXPECT_EQ(info(second.refusal).name, info(bad.refusal).name) << bad.name;
  }
}

TEST(ResponseHead, SaysWhatItRead) {
  const std::string bytes =
      "HTTP/1.1 404 Not \xc3\xa4 Found\r\nContent-Length: 7\r\nSet-Cookie: a\r\nset-cookie: b\r\n"
      "\r\nmissing";
  for (const std::size_t piece : support::piece_sizes) {
    ResponseHead head;
    const auto outcome = feed_response(bytes, piece, head);
    ASSERT_EQ(outcome.result.status, HeadStatus::complete) << info(outcome.result.refusal).name;
    EXPECT_EQ(head.status, 404U);
    EXPECT_EQ(head.reason, "Not \xc3\xa4 Found");
    EXPECT_EQ(head.minor_version, 1U);
    EXPECT_EQ(head.framing, Framing::length);
    EXPECT_EQ(head.content_length, 7U);
    EXPECT_TRUE(head.keep_alive);
    EXPECT_EQ(head.bytes, bytes.size() - 7);
    EXPECT_EQ(head.fields.size(), 3U);
    EXPECT_EQ(support::difference_from_beast(outcome.buffer, Method::get, head), "");
  }
}

TEST(ResponseHead, TheReasonMayBeMissing) {
  EXPECT_EQ(accepted_response("HTTP/1.1 200 \r\n\r\n").reason, "");
  EXPECT_EQ(accepted_response("HTTP/1.1 200\r\n\r\n").reason, "");
  EXPECT_EQ(accepted_response("HTTP/1.0 999 \r\n\r\n").status, 999U);
}

TEST(ResponseHead, TheRequestAndTheStatusDecideTheBody) {
  struct Case {
    std::string bytes;
    Method method;
    Framing framing;
    bool keep_alive;
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n\r\n";
  const Case cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Method::get, Framing::length, true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Method::get, Framing::length, true},
      {"HTTP/1.1 200 OK\r\n" + chunked, Method::get, Framing::chunked, true},
      {"HTTP/1.1 200 OK\r\n\r\n", Method::get, Framing::until_close, false},
      {"HTTP/1.0 200 OK\r\n\r\n", Method::get, Framing::until_close, false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", Method::get, Framing::length, false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n", Method::get,
       Framing::length, true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n", Method::get,
       Framing::length, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep alive\r\n\r\n", Method::get,
       Framing::length, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Method::head, Framing::none, true},
      {"HTTP/1.1 200 OK\r\n" + chunked, Method::head, Framing::none, true},
      {"HTTP/1.1 200 OK\r\n\r\n", Method::head, Framing::none, true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", Method::get, Framing::none, true},
      {"HTTP/1.1 204 No Content\r\n\r\n", Method::get, Framing::none, true},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", Method::get, Framing::none, true},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", Method::get, Framing::none, false},
      {"HTTP/1.1 204 No Content\r\n" + chunked, Method::get, Framing::none, false},
      {"HTTP/1.1 100 Continue\r\n\r\n", Method::get, Framing::none, true},
      {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", Method::get, Framing::none, true},
  };
  for (const auto& one : cases) {
    const auto head = accepted_response(one.bytes, one.method);
    EXPECT_EQ(head.framing, one.framing) << one.bytes;
    EXPECT_EQ(head.keep_alive, one.keep_alive) << one.bytes;
    EXPECT_EQ(support::difference_from_beast(one.bytes, one.method, head), "") << one.bytes;
  }
}

TEST(Refusals, OnlySizesHaveAStatusOfTheirOwn) {
  std::set<std::string_view> names;
  for (const auto& row : refusal_catalogue()) {
    EXPECT_EQ(&info(row.refusal), &row);
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    if (row.refusal == Refusal::none) continue;
    const bool is_size = row.http_status == 414 || row.http_status == 431;
    EXPECT_TRUE(is_size || row.http_status == 400) << row.name;
  }
}

}  // namespace
}  // namespace fetchmill::server::wire
