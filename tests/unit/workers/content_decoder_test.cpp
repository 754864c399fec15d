#include "workers/content_decoder.hpp"

#include "coding_fixture.hpp"
#include "tests/unit/workers/mebibytes.hpp"
#include "workers/layout.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

class ContentDecoderTest : public testing::Test {
 protected:
  // The bytes, or "CODE: DETAIL". Checks the padding.
  std::string decode(ContentCoding coding, const std::string& coded,
                     std::uint64_t bytes_max = 16 * MiB) {
    const auto decoded = decoder_.decode({coding, bytes_max}, coded);
    if (!decoded)
      return std::string(config::info(decoded.error().code).name) + ": " + decoded.error().detail;
    const std::string_view padding(decoded->data() + decoded->size(), body_padding_bytes);
    EXPECT_EQ(padding, std::string(body_padding_bytes, '\0'));
    return std::string(*decoded);
  }

  ContentDecoder decoder_;
};

bool is_bad(const std::string& outcome) {
  return outcome.starts_with("upstream_protocol: the body is not valid ");
}

bool is_too_large(const std::string& outcome) {
  return outcome.starts_with("upstream_body_too_large: ");
}

TEST_F(ContentDecoderTest, GivesBackWhatWasEncoded) {
  for (const ContentCoding coding : all_codings)
    for (const std::size_t bytes : {0U, 1U, 1000U, 256U * 1024, 256U * 1024 + 1, 9'000'000U}) {
      const std::string text = prose(bytes);
      EXPECT_TRUE(decode(coding, encoded(coding, text)) == text) << to_string(coding) << bytes;
    }
}

TEST_F(ContentDecoderTest, NothingAtAllIsAnEmptyBody) {
  for (const ContentCoding coding : all_codings) EXPECT_EQ(decode(coding, ""), "");
}

TEST_F(ContentDecoderTest, WhatEndsTooEarlyIsNeverHalfAResult) {
  const std::string text = prose(3000);
  for (const ContentCoding coding : all_codings) {
    const std::string whole = encoded(coding, text);
    for (std::size_t bytes = 1; bytes < whole.size(); ++bytes)
      EXPECT_PRED1(is_bad, decode(coding, whole.substr(0, bytes))) << to_string(coding) << bytes;
  }
}

TEST_F(ContentDecoderTest, WhatFollowsTheEndIsRefused) {
  for (const ContentCoding coding : all_codings) {
    const std::string whole = encoded(coding, "text");
    for (const std::string& more :
         {std::string("\0", 1), std::string("x"), std::string(100, '\0'), std::string("\x1f\x8b")})
      EXPECT_PRED1(is_bad, decode(coding, whole + more)) << to_string(coding);
  }
}

TEST_F(ContentDecoderTest, ABadChecksumIsFound) {
  const std::string text = prose(1000);
  const std::vector<std::pair<ContentCoding, std::size_t>> from_end{
      {ContentCoding::gzip, 8},     // CRC-32
      {ContentCoding::gzip, 1},     // length
      {ContentCoding::deflate, 1},  // Adler-32
      {ContentCoding::zstd, 1},     // XXH64
  };
  for (const auto& [coding, place] : from_end) {
    std::string coded = encoded(coding, text);
    coded[coded.size() - place] = static_cast<char>(coded[coded.size() - place] ^ 1);
    EXPECT_PRED1(is_bad, decode(coding, coded)) << to_string(coding) << place;
  }
}

TEST_F(ContentDecoderTest, OtherBytesAreRefused) {
  for (const ContentCoding coding : all_codings)
    for (const std::string& other :
         {std::string("<html>hello</html>"), std::string("\xff"), std::string(1000, '\xee'),
          encoded(coding == ContentCoding::gzip ? ContentCoding::zstd : ContentCoding::gzip, "a")})
      EXPECT_PRED1(is_bad, decode(coding, other)) << to_string(coding) << other.substr(0, 10);
}

TEST_F(ContentDecoderTest, MembersAndFramesFollowEachOther) {
  const std::string gzip_a = deflated("a", gzip_format);
  const std::string gzip_empty = deflated("", gzip_format);
  EXPECT_EQ(decode(ContentCoding::gzip, gzip_a + deflated("b", gzip_format)), "ab");
  EXPECT_EQ(decode(ContentCoding::gzip, gzip_empty + gzip_a + gzip_empty), "a");
  EXPECT_PRED1(is_bad, decode(ContentCoding::gzip, gzip_a + gzip_a.substr(0, 10)));
  EXPECT_PRED1(is_bad, decode(ContentCoding::gzip, gzip_a + deflated("b", zlib_format)));

  const std::string skippable("\x50\x2a\x4d\x18\x02\0\0\0??", 10);
  EXPECT_EQ(decode(ContentCoding::zstd, zstandard("a") + zstandard("b")), "ab");
  EXPECT_EQ(decode(ContentCoding::zstd, skippable + zstandard("a") + skippable), "a");
  EXPECT_PRED1(is_bad, decode(ContentCoding::zstd, zstandard("a") + skippable.substr(0, 9)));

  EXPECT_PRED1(is_bad, decode(ContentCoding::deflate,
                              deflated("a", zlib_format) + deflated("b", zlib_format)));
  EXPECT_PRED1(is_bad, decode(ContentCoding::br, brotli("a") + brotli("b")));
}

TEST_F(ContentDecoderTest, DeflateMayBeBare) {
  for (const std::size_t bytes : {0U, 1U, 100U, 300'000U}) {
    const std::string text = prose(bytes);
    EXPECT_TRUE(decode(ContentCoding::deflate, deflated(text, raw_deflate)) == text) << bytes;
  }
  EXPECT_PRED1(is_bad, decode(ContentCoding::deflate, deflated("a", gzip_format)));
  EXPECT_PRED1(is_bad, decode(ContentCoding::deflate, deflated("a", raw_deflate) + "x"));
}

TEST_F(ContentDecoderTest, ADictionaryIsNotToBeHad) {
  // The zlib header with FDICT, and a dictionary's checksum.
  const std::string coded = std::string("\x78\xbb\0\0\0\1", 6) + deflated("a", raw_deflate);
  EXPECT_EQ(decode(ContentCoding::deflate, coded),
            "upstream_protocol: the body is not valid deflate: it needs a dictionary");
}

TEST_F(ContentDecoderTest, WindowsOfZstdAreBounded) {
  const std::string text = prose(1000);
  EXPECT_EQ(decode(ContentCoding::zstd, zstandard(text, 23)), text);
  EXPECT_PRED1(is_bad, decode(ContentCoding::zstd, zstandard(text, 24)));
  EXPECT_PRED1(is_bad, decode(ContentCoding::zstd, zstandard(text, 27)));
  EXPECT_EQ(decode(ContentCoding::br, brotli(text, 24)), text);
}

TEST_F(ContentDecoderTest, FormatsFromBeforeTheStandardAreNotZstd) {
  // The magic number of version 0.7.
  EXPECT_EQ(decode(ContentCoding::zstd, std::string("\x27\xb5\x2f\xfd\x20\1\0\0\0", 9)),
            "upstream_protocol: the body is not valid zstd: unknown frame descriptor");
}

TEST_F(ContentDecoderTest, TheLimitIsExact) {
  const std::string text = prose(700'000);
  for (const ContentCoding coding : all_codings) {
    const std::string coded = encoded(coding, text);
    EXPECT_TRUE(decode(coding, coded, text.size()) == text) << to_string(coding);
    EXPECT_EQ(decode(coding, coded, text.size() - 1),
              "upstream_body_too_large: without its coding " + std::string(to_string(coding)) +
                  " the body has more than 699999 bytes");
    EXPECT_PRED1(is_too_large, decode(coding, coded, 0));
    EXPECT_EQ(decode(coding, encoded(coding, ""), 0), "");
  }
}

TEST_F(ContentDecoderTest, BombsEndByTheirRatioWhateverTheLimit) {
  const std::string zeros(64 * MiB, '\0');
  for (const ContentCoding coding : all_codings) {
    const std::string outcome = decode(coding, encoded(coding, zeros), 1024 * MiB);
    EXPECT_NE(outcome.find("makes more than 200 bytes"), std::string::npos) << outcome;
  }
  // What is repetitive and small passes.
  const std::string small(4 * MiB, '\0');
  for (const ContentCoding coding : all_codings)
    EXPECT_TRUE(decode(coding, encoded(coding, small)) == small) << to_string(coding);
}

TEST(Expansion, IsBoundedBeyondWhatIsFree) {
  EXPECT_TRUE(expansion_allowed(expansion_free_bytes, 1));
  EXPECT_FALSE(expansion_allowed(expansion_free_bytes + 1, 20'000));
  EXPECT_TRUE(expansion_allowed(expansion_free_bytes + 1, 21'000));
  EXPECT_TRUE(expansion_allowed(1024 * MiB, 8 * MiB));
}

TEST_F(ContentDecoderTest, WhatOneBodyLeftIsNotInTheNext) {
  const std::string text = prose(6'000'000);
  EXPECT_TRUE(decode(ContentCoding::gzip, deflated(text, gzip_format)) == text);
  EXPECT_PRED1(is_bad, decode(ContentCoding::gzip, deflated(text, gzip_format).substr(0, 3000)));
  EXPECT_EQ(decode(ContentCoding::br, brotli("short")), "short");
}

TEST(ContentCoding, NamesAreParsed) {
  using enum ContentCoding;
  const std::vector<std::pair<std::string_view, std::optional<ContentCoding>>> cases{
      {"", none},
      {" \t", none},
      {",, ,", none},
      {"identity", none},
      {"Identity, identity", none},
      {"gzip", gzip},
      {" GZip\t", gzip},
      {"x-gzip", gzip},
      {"deflate", deflate},
      {"br", br},
      {"zstd", zstd},
      {"identity, br", br},
      {"br, ", br},
      {"gzip, br", std::nullopt},
      {"gzip, gzip", std::nullopt},
      {"gzip,x-gzip", std::nullopt},
      {"compress", std::nullopt},
      {"gzipp", std::nullopt},
      {"gzi", std::nullopt},
      {"gzip;q=1", std::nullopt},
      {"gzip br", std::nullopt},
      {"\"gzip\"", std::nullopt},
      {"utf-8", std::nullopt},
  };
  for (const auto& [field, expected] : cases)
    EXPECT_TRUE(parse_content_coding(field) == expected) << field;
}

}  // namespace
}  // namespace fetchmill::workers
