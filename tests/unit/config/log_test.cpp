#include "config/log.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace fetchmill::config {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A pipe in the place of stderr.
class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) std::abort();
  }
  ~LogTest() override {
    close_reader();
    close(ends_[1]);
  }

  Log make(LogFormat format, LogLevel level = LogLevel::debug) {
    return Log({.level = level, .format = format}, dropped_, writer());
  }

  int writer() const { return ends_[1]; }

  void close_reader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }

  // What is in the pipe now, at most `bytes_max`.
  std::string read_back(std::size_t bytes_max = 65536) {
    std::string text(bytes_max, '\0');
    fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    const ssize_t size = read(ends_[0], text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }

  // The same, with what has the form of a time replaced by NOW.
  std::string read_line() {
    constexpr std::string_view form = "0000-00-00T00:00:00.000Z";
    std::string line = read_back();
    std::string zeroed = line;
    std::replace_if(
        zeroed.begin(), zeroed.end(), [](char c) { return c > '0' && c <= '9'; }, '0');
    const std::size_t at = zeroed.find(form);
    return at == std::string::npos ? line : line.replace(at, form.size(), "NOW");
  }

  void fill_pipe() {
    const int flags = fcntl(writer(), F_GETFL);
    fcntl(writer(), F_SETFL, flags | O_NONBLOCK);
    const std::string page(4096, 'x');
    while (write(writer(), page.data(), page.size()) > 0) {
    }
    fcntl(writer(), F_SETFL, flags);
  }

  Counter dropped_;

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(LogTest, JsonIsOneObjectPerLine) {
  make(LogFormat::json).info("pool", "worker exited", {{"worker", "3"}, {"signal", "9"}});
  EXPECT_EQ(read_line(), R"({"time":"NOW","level":"info","component":"pool",)"
                         R"("message":"worker exited","worker":"3","signal":"9"})"
                         "\n");
}

TEST_F(LogTest, TextQuotesOnlyWhatNeedsIt) {
  make(LogFormat::text)
      .error("pool", "worker exited", {{"worker", "3"}, {"cause", ""}, {"q", "a=b"}});
  EXPECT_EQ(read_line(),
            "NOW error component=pool message=\"worker exited\" worker=3 cause=\"\" q=\"a=b\"\n");
}

TEST_F(LogTest, NothingInAValueEndsTheLineOrTheString) {
  constexpr std::string_view hostile = "a\"b\\c\nd\x1b[2J\x7f\xc2\x9b\xff\xed\xa0\x80\u20ac";
  constexpr std::string_view escaped =
      R"(a\"b\\c\u000ad\u001b[2J\u007f\u009b\ufffd\ufffd\ufffd\ufffd)"
      "\u20ac";
  for (const LogFormat format : {LogFormat::json, LogFormat::text}) {
    make(format).warn("c", "m", {{"v", hostile}, {hostile, "k"}});
    const std::string line = read_line();
    EXPECT_TRUE(has(line, '"' + std::string(escaped) + '"')) << line;
    const std::string key_end = format == LogFormat::json ? "\":\"k" : "=k";
    EXPECT_TRUE(has(line, std::string(escaped) + key_end)) << line;
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  }
}

TEST_F(LogTest, WritesFromItsLevelUpwards) {
  Log log = make(LogFormat::text, LogLevel::warn);
  log.debug("c", "m1");
  log.info("c", "m2");
  log.warn("c", "m3");
  log.error("c", "m4");
  const std::string text = read_back();
  EXPECT_FALSE(has(text, "m1") || has(text, "m2")) << text;
  EXPECT_TRUE(has(text, " warn component=c message=m3\n")) << text;
  EXPECT_TRUE(has(text, " error component=c message=m4\n")) << text;
  EXPECT_EQ(dropped_.value(), 0U);
}

TEST_F(LogTest, LongLineLosesItsLastFieldsAndSaysSo) {
  const std::string long_value(3000, '\x01');
  make(LogFormat::json).info("c", "m", {{"a", "1"}, {"b", long_value}, {"d", "2"}});
  EXPECT_EQ(read_line(), R"({"time":"NOW","level":"info","component":"c",)"
                         R"("message":"m","a":"1","truncated":"true"})"
                         "\n");
  make(LogFormat::text).info("c", "m", {{"a", "1"}, {"b", long_value}, {"d", "2"}});
  EXPECT_EQ(read_line(), "NOW info component=c message=m a=1 truncated=true\n");
}

// Every length around the limit: never longer than a page, always a whole line.
TEST_F(LogTest, NoLineIsLongerThanAPage) {
  for (std::size_t size = 3900; size < 4200; ++size) {
    make(LogFormat::json).info("c", "m", {{"v", std::string(size, 'x')}});
    const std::string line = read_back();
    ASSERT_LE(line.size(), 4096U);
    ASSERT_TRUE(line.starts_with("{"));
    ASSERT_TRUE(line.ends_with("\"}\n"));
  }
}

TEST_F(LogTest, FullPipeDropsAndCountsInsteadOfWaiting) {
  Log log = make(LogFormat::text);
  const int flags = fcntl(writer(), F_GETFL);
  fill_pipe();
  log.info("c", "lost");
  EXPECT_EQ(dropped_.value(), 1U);
  EXPECT_EQ(fcntl(writer(), F_GETFL), flags) << "the descriptor's flags are shared with others";
  while (!read_back().empty()) {
  }
  log.info("c", "written");
  EXPECT_TRUE(has(read_back(), "written"));
  EXPECT_EQ(dropped_.value(), 1U);
}

TEST_F(LogTest, ReaderThatHasGoneDropsWithoutASignal) {
  close_reader();
  make(LogFormat::text).info("c", "lost");
  EXPECT_EQ(dropped_.value(), 1U);
}

}  // namespace
}  // namespace fetchmill::config
