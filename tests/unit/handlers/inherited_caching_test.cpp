// What answers say about keeping them, from what upstreams said.
#include "handlers/inherited_caching.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using namespace std::chrono_literals;

// Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::chrono::sys_seconds now{784111777s};

struct Case {
  std::string head;
  std::string expected;
  bool is_private = false;
  std::optional<std::chrono::seconds> age = {};
  unsigned redirects = 0;
};

TEST(InheritedCachingTest, Fields) {
  const std::string date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  const std::string earlier = "Date: Sun, 06 Nov 1994 08:49:07 GMT\r\n";
  const std::string expires = "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n";
  const Case cases[] = {
      {"", "Cache-Control: no-cache\r\n"},
      {"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "Cache-Control: no-cache\r\n"},
      {"Cache-Control: max-age=60\r\n", "Cache-Control: max-age=60\r\n"},
      {"Cache-Control: max-age=60\r\nAge: 7\r\n", "Cache-Control: max-age=60\r\nAge: 7\r\n"},
      {"Cache-Control: max-age=60\r\n" + earlier, "Cache-Control: max-age=60\r\nAge: 30\r\n"},
      {"Cache-Control: max-age=60\r\nAge: 7\r\n", "Cache-Control: max-age=60\r\nAge: 9\r\n", false,
       9s},
      {"Cache-Control: max-age=60\r\n", "Cache-Control: max-age=60\r\nAge: 0\r\n", false, 0s},
      {date + expires, "Cache-Control: max-age=60\r\n"},
      {earlier + expires, "Cache-Control: max-age=90\r\nAge: 30\r\n"},
      {"Expires: 0\r\n", "Cache-Control: max-age=0\r\n"},
      {"Cache-Control: max-age=0, s-maxage=60\r\n", "Cache-Control: max-age=0, s-maxage=60\r\n"},
      {"Cache-Control: s-maxage=60\r\n", "Cache-Control: s-maxage=60\r\n"},
      {"Cache-Control: s-maxage=60, private\r\n", "Cache-Control: private, no-cache\r\n"},
      {"Cache-Control: max-age=60, must-revalidate\r\n",
       "Cache-Control: max-age=60, must-revalidate\r\n"},
      {"Cache-Control: no-cache, max-age=60\r\n", "Cache-Control: no-cache\r\n"},
      {"Cache-Control: max-age=60, private\r\n", "Cache-Control: private, max-age=60\r\n"},
      {"Cache-Control: max-age=60, no-store\r\nAge: 7\r\n", "Cache-Control: no-store\r\n"},
      {"Cache-Control: max-age=60\r\n", "Cache-Control: private, max-age=60\r\n", true},
      {"Cache-Control: max-age=60, s-maxage=90\r\n", "Cache-Control: private, max-age=60\r\n",
       true},
      {"", "Cache-Control: private, no-cache\r\n", true},
      {"Cache-Control: max-age=60\r\n", "Cache-Control: no-cache\r\n", false, {}, 1},
      {"Cache-Control: max-age=nonsense\r\n", "Cache-Control: max-age=0\r\n"},
  };
  for (const Case& row : cases) {
    server::fetch::FetchResponse response;
    response.head =
        server::fetch::UpstreamHead::parse("HTTP/1.1 200 OK\r\n" + row.head + "\r\n").value();
    response.cache.age = row.age;
    response.redirects = row.redirects;
    std::string headers;
    append_caching(headers, response, row.is_private, now);
    EXPECT_EQ(headers, row.expected) << row.head;
  }
}

}  // namespace
}  // namespace fetchmill::handlers
