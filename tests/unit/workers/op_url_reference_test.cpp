#include "workers/ops/url_reference.hpp"

#include <string_view>

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

TEST(UrlReference, ResolvesAsTheStandardDoes) {
  struct Case {
    std::string_view reference;
    std::string_view url;
  };
  constexpr Case cases[] = {
      {"", "https://a.example/b/c?d"},
      {"#f", "https://a.example/b/c?d#f"},
      {"?x", "https://a.example/b/c?x"},
      {"x", "https://a.example/b/x"},
      {"./x", "https://a.example/b/x"},
      {"../x", "https://a.example/x"},
      {"../../../x", "https://a.example/x"},
      {"x/..", "https://a.example/b/"},
      {"%2E%2e/x", "https://a.example/x"},
      {"/x", "https://a.example/x"},
      {"\\x\\y", "https://a.example/x/y"},
      {"//B.example", "https://b.example/"},
      {"//b.example/x?y#z", "https://b.example/x?y#z"},
      {"http://C.example:80/../x", "http://c.example/x"},
      {"HTTPS:x", "https://a.example/b/x"},
      {"http:x", "http://x/"},
      {"https:////d.example:8443", "https://d.example:8443/"},
      {"http://[::1]:8080/x", "http://[::1]:8080/x"},
      {"http://u:p@b.example/", "http://u:p@b.example/"},
      {" \tx y\n<>\"z ", "https://a.example/b/x%20y%3C%3E%22z"},
      {"x\n\ty", "https://a.example/b/xy"},
      {"é", "https://a.example/b/%C3%A9"},
      {"mailto:a@b c", "mailto:a@b%20c"},
      {"http://", ""},
      {"http://a b/", ""},
      {"http://a:99999/", ""},
      {"http://a:x/", ""},
  };
  for (const Case& c : cases)
    EXPECT_EQ(resolve_reference("https://a.example/b/c?d#e", c.reference), c.url) << c.reference;
}

TEST(UrlReference, RelativeOnesNeedAWebBase) {
  for (const std::string_view base : {"", "mailto:a@b", "/x", "https://"}) {
    EXPECT_EQ(resolve_reference(base, "x"), "") << base;
    EXPECT_EQ(resolve_reference(base, "http://a.example"), "http://a.example/") << base;
  }
}

}  // namespace
}  // namespace fetchmill::workers::ops
