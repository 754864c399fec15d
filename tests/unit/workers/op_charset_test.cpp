#include "workers/ops/charset.hpp"

#include <cstddef>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

using namespace std::string_view_literals;

std::string decoded(std::string_view label, std::string_view bytes) {
  const Charset* charset = find_charset(label);
  if (charset == nullptr) return "no such charset";
  std::string out;
  EXPECT_TRUE(decode_to_utf8(*charset, bytes, out));
  return out;
}

TEST(Charset, IsFoundByAnyLabel) {
  struct Case {
    std::string_view label;
    std::string_view name;
  };
  constexpr Case cases[] = {
      {"UTF-8", "UTF-8"},
      {" \tUtf8\n", "UTF-8"},
      {"latin1", "windows-1252"},
      {"US-ASCII", "windows-1252"},
      {"iso-8859-9", "windows-1254"},
      {"gb2312", "GBK"},
      {"x-sjis", "Shift_JIS"},
      {"utf-16", "UTF-16LE"},
      {"hz-gb-2312", "replacement"},
      {"866", "IBM866"},
      {"ks_c_5601-1987", "EUC-KR"},
  };
  for (const Case& c : cases) {
    const Charset* found = find_charset(c.label);
    ASSERT_NE(found, nullptr) << c.label;
    EXPECT_EQ(found->name, c.name) << c.label;
  }
  for (const std::string_view label :
       {""sv, " "sv, "utf-7"sv, "utf-8 utf8"sv, "utf-8\0"sv, "utf"sv})
    EXPECT_EQ(find_charset(label), nullptr) << label;
}

TEST(Charset, DecodesEveryKind) {
  struct Case {
    std::string_view label;
    std::string_view bytes;
    std::string_view text;
  };
  const Case cases[] = {
      {"utf-8", "caf\xc3\xa9", "café"},
      {"latin1", "caf\xe9 \x80 \x93\x94 \x81", "café € “” \xc2\x81"},
      {"windows-1251", "\xc6", "Ж"},
      {"koi8-r", "\xf6", "Ж"},
      {"ibm866", "\x86", "Ж"},
      {"macintosh", "\x8e", "é"},
      {"x-mac-cyrillic", "\x86", "Ж"},
      {"iso-8859-8-i", "\xe0", "א"},
      {"shift_jis", "\x93\xfa\x96\x7b", "日本"},
      {"euc-jp", "\xc6\xfc\xcb\xdc", "日本"},
      {"iso-2022-jp", "\x1b$BF|K\\\x1b(B!", "日本!"},
      {"gbk", "\xc8\xd5", "日"},
      {"gb18030", "\x81\x30\x81\x30", "\xc2\x80"},
      {"big5", "\xa4\xe9", "日"},
      {"euc-kr", "\xb0\xa1", "가"},
      {"utf-16le", "\xe9\0!\0"sv, "é!"},
      {"utf-16be", "\0\xe9\xd8\x3d\xde\x00"sv, "é😀"},
      {"x-user-defined", "a\x80", "a\xef\x9e\x80"},
      {"iso-2022-kr", "anything", "\xef\xbf\xbd"},
      {"iso-2022-kr", "", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(decoded(c.label, c.bytes), c.text) << c.label;
}

// Every label of the table has a decoder behind it.
TEST(Charset, DecodesAsciiInEveryEncoding) {
  for (const std::string_view label :
       {"866",    "l2",      "l3",     "l4",          "cyrillic",    "arabic", "greek",
        "hebrew", "logical", "l6",     "iso-8859-13", "iso-8859-14", "l9",     "iso-8859-16",
        "koi8-r", "koi8-u",  "mac",    "windows-874", "cp1250",      "cp1251", "cp1252",
        "cp1253", "cp1254",  "cp1255", "cp1256",      "cp1257",      "cp1258", "x-mac-cyrillic",
        "gbk",    "gb18030", "big5",   "euc-jp",      "iso-2022-jp", "sjis",   "euc-kr"})
    EXPECT_EQ(decoded(label, "plain text"), "plain text") << label;
}

TEST(Charset, ReplacesWhatMeansNothing) {
  struct Case {
    std::string_view label;
    std::string_view bytes;
    std::string_view text;
  };
  const Case cases[] = {
      {"utf-8",
       "a\xff"
       "b",
       "a\xef\xbf\xbd"
       "b"},
      {"utf-8", "\xe2\x82", "\xef\xbf\xbd"},
      {"utf-8",
       "\xe2\x82"
       "a",
       "\xef\xbf\xbd"
       "a"},
      {"utf-8", "\xf0\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"utf-8", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"utf-16le", "\x00\xd8!\x00"sv, "\xef\xbf\xbd!"},
      {"utf-16le", "a\0b"sv, "a\xef\xbf\xbd"},
      {"shift_jis", "\x93", "\xef\xbf\xbd"},
      {"shift_jis", "\x81<", "\xef\xbf\xbd<"},
      {"gbk", "\x81\"x", "\xef\xbf\xbd\"x"},
      {"koi8-r", std::string_view(), ""},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(decoded(c.label, c.bytes), c.text) << c.label << ' ' << c.bytes;
  }
}

TEST(Charset, DoesNotCareWhereTheBytesAreCut) {
  struct Case {
    std::string_view label;
    std::string_view bytes;
  };
  const Case cases[] = {
      {"utf-8", "a\xf0\x9f\x98\x80 \xe2\x82 \xff\xed\xa0\x80 \xc3"},
      {"shift_jis", "\x93\xfa\x96\x7b\x81<\x93"},
      {"gb18030", "\x81\x30\x81\x30\xc8\xd5\x81"},
      {"iso-2022-jp", "\x1b$BF|K\\\x1b(B!"},
      {"utf-16be", "\0\xe9\xd8\x3d\xde\x00\0"sv},
  };
  for (const Case& c : cases) {
    const std::string whole = decoded(c.label, c.bytes);
    for (std::size_t size = 1; size < c.bytes.size(); ++size) {
      CharsetDecoder decoder(*find_charset(c.label));
      std::string out;
      for (std::size_t at = 0; at < c.bytes.size(); at += size)
        ASSERT_TRUE(decoder.feed(c.bytes.substr(at, size), out));
      ASSERT_TRUE(decoder.finish(out));
      EXPECT_EQ(out, whole) << c.label << ' ' << size;
    }
  }
}

TEST(Charset, StopsAtTheLargestStep) {
  CharsetDecoder decoder(*find_charset("x-user-defined"));
  const std::string piece(16UL << 20U, '\xff');
  std::string out;
  bool refused = false;
  for (int i = 0; i < 7 && !refused; ++i) refused = !decoder.feed(piece, out);
  EXPECT_TRUE(refused);
}

TEST(Charset, ByteOrderMarksAndParameters) {
  EXPECT_EQ(byte_order_mark("\xef\xbb\xbfx").charset->name, "UTF-8");
  EXPECT_EQ(byte_order_mark("\xff\xfex").charset->name, "UTF-16LE");
  EXPECT_EQ(byte_order_mark("\xfe\xffx").size, 2U);
  EXPECT_EQ(byte_order_mark("\xef\xbb").charset, nullptr);

  EXPECT_EQ(charset_parameter("text/html; charset=koi8-r"), "koi8-r");
  EXPECT_EQ(charset_parameter("text/html;a=\"x;charset=b\"; CharSet = \"UTF-8\" ;q=1"), "UTF-8");
  EXPECT_EQ(charset_parameter("text/html"), "");
  EXPECT_EQ(charset_parameter("text/html;charset"), "");
  EXPECT_EQ(charset_parameter(""), "");
}

}  // namespace
}  // namespace fetchmill::workers::ops
