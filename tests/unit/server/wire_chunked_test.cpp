#include "server/wire/chunked.hpp"
#include "tests/support/http_cases.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace fetchmill::server::wire {
namespace {

struct Decoded {
  ChunkResult last;
  std::string payload;
  std::size_t consumed = 0;  // of the whole input, payload included
};

// Feeds the body in pieces, each in memory of its own.
Decoded decode(std::string_view body, std::size_t piece) {
  Decoded decoded;
  ChunkDecoder decoder;
  for (std::size_t from = 0; from < body.size(); from += piece) {
    const std::string arrived(body.substr(from, piece));
    std::string_view rest = arrived;
    while (!rest.empty()) {
      decoded.last = decoder.decode(rest);
      decoded.consumed += decoded.last.consumed;
      rest.remove_prefix(decoded.last.consumed);
      if (decoded.last.status == ChunkStatus::complete ||
          decoded.last.status == ChunkStatus::refused) {
        return decoded;
      }
      const auto payload_bytes = std::min<std::uint64_t>(decoder.payload_remaining(), rest.size());
      if (payload_bytes == 0) continue;
      decoded.payload += rest.substr(0, payload_bytes);
      decoded.consumed += payload_bytes;
      decoder.take_payload(payload_bytes);
      rest.remove_prefix(payload_bytes);
    }
  }
  return decoded;
}

TEST(ChunkDecoder, RefusesEveryCaseHoweverItArrives) {
  for (const auto& one : support::chunked_refusals()) {
    for (const std::size_t piece : support::piece_sizes) {
      const auto decoded = decode(one.bytes, piece);
      EXPECT_EQ(decoded.last.status, ChunkStatus::refused) << one.name << " by " << piece;
      EXPECT_EQ(info(decoded.last.refusal).name, info(one.refusal).name)
          << one.name << " by " << piece;
    }
  }
}

TEST(ChunkDecoder, DecodesHoweverItArrives) {
  struct Case {
    std::string body;
    std::string payload;
  };
  const Case cases[] = {
      {"0\r\n\r\n", ""},
      {"0000000000000000\r\n\r\n", ""},
      {"3\r\nabc\r\n0\r\n\r\n", "abc"},
      {"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"},
      {"a\r\n0123456789\r\n00A\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"},
      {"2\r\n\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n"},
      {"3;a\r\nabc\r\n0;b=c\r\n\r\n", "abc"},
      {"3;a=b;c;d=\"\";e=\"; \\\" = \\\\ \"\r\nabc\r\n0\r\n\r\n", "abc"},
      {"3;" + std::string(254, 'a') + "\r\nabc\r\n0\r\n\r\n", "abc"},
      {"3\r\nabc\r\n0\r\nX: y\r\nZ:\t\xc3\xa9 \r\nContent-Length: 9\r\n\r\n", "abc"},
      {"0\r\nX: " + std::string(4096 - 7, 'x') + "\r\n\r\n", ""},
  };
  for (const auto& one : cases) {
    for (const std::size_t piece : support::piece_sizes) {
      const std::string bytes = one.body + "GET / HTTP/1.1";
      const auto decoded = decode(bytes, piece);
      EXPECT_EQ(decoded.last.status, ChunkStatus::complete) << one.body << " by " << piece;
      EXPECT_EQ(decoded.payload, one.payload) << one.body << " by " << piece;
      EXPECT_EQ(decoded.consumed, one.body.size()) << one.body << " by " << piece;
    }
  }
}

TEST(ChunkDecoder, IsIncompleteUntilItsLastByte) {
  const std::string body = "3;a=\"b\"\r\nabc\r\n0\r\nX: y\r\n\r\n";
  for (std::size_t size = 0; size < body.size(); ++size) {
    const auto status = decode(body.substr(0, size), 1).last.status;
    EXPECT_TRUE(status == ChunkStatus::incomplete || status == ChunkStatus::payload) << size;
  }
}

TEST(ChunkDecoder, TheCallerMayReadPayloadElsewhere) {
  ChunkDecoder decoder;
  const std::string_view framing = "fffff\r\n";
  const auto result = decoder.decode(framing);
  EXPECT_EQ(result.status, ChunkStatus::payload);
  EXPECT_EQ(result.consumed, framing.size());
  EXPECT_EQ(decoder.payload_remaining(), 0xfffffU);
  decoder.take_payload(0xffff0U);
  EXPECT_EQ(decoder.payload_remaining(), 0xfU);
  EXPECT_EQ(decoder.decode("x").status, ChunkStatus::payload) << "payload is not framing";
  EXPECT_EQ(decoder.decode("x").consumed, 0U);
  decoder.take_payload(0xf);
  EXPECT_EQ(decoder.decode("\r\n0\r\n\r\n").status, ChunkStatus::complete);
  EXPECT_EQ(decoder.payload_remaining(), 0U);
}

TEST(ChunkDecoder, TheLargestSizeIsANumber) {
  ChunkDecoder decoder;
  EXPECT_EQ(decoder.decode("FFFFffffFFFFffff\r\n").status, ChunkStatus::payload);
  EXPECT_EQ(decoder.payload_remaining(), 0xffffffffffffffffU);
}

TEST(ChunkDecoder, TheEndIsFinal) {
  ChunkDecoder complete;
  EXPECT_EQ(complete.decode("0\r\n\r\n3\r\nabc\r\n").consumed, 5U);
  EXPECT_EQ(complete.decode("3\r\nabc\r\n").status, ChunkStatus::complete);
  EXPECT_EQ(complete.decode("3\r\nabc\r\n").consumed, 0U);

  ChunkDecoder refused;
  EXPECT_EQ(refused.decode("3x\r\n").refusal, Refusal::chunk_size_invalid);
  EXPECT_EQ(refused.decode("3\r\nabc\r\n").refusal, Refusal::chunk_size_invalid);
  EXPECT_EQ(refused.decode("3\r\nabc\r\n").consumed, 0U);
}

TEST(ChunkDecoder, LimitsAreForEachLine) {
  const std::string chunk = "1;" + std::string(254, 'e') + "\r\nx\r\n";
  std::string body;
  for (int i = 0; i < 100; ++i) body += chunk;
  EXPECT_EQ(decode(body + "0\r\n\r\n", body.size()).last.status, ChunkStatus::complete);
}

TEST(ChunkDecoder, ABadBodyIsRefusedBehindGoodChunks) {
  for (const auto& bad : support::chunked_refusals()) {
    const auto decoded = decode("5\r\nhello\r\n" + bad.bytes, 1);
    EXPECT_EQ(info(decoded.last.refusal).name, info(bad.refusal).name) << bad.name;
    EXPECT_TRUE(decoded.payload.starts_with("hello")) << bad.name;
  }
}

}  // namespace
}  // namespace fetchmill::server::wire
