#include "tests/unit/workers/op_fixture.hpp"
#include "workers/ops/url_reference.hpp"

#include <algorithm>
#include <string>
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
      {"HTTPS:/x", "https://a.example/x"},
      {"https:\\\\d.example\\x", "https://d.example/x"},
      {"http:x", "http://x/"},
      {"https:////d.example:8443", "https://d.example:8443/"},
      {"http://[::1]:8080/x", "http://[::1]:8080/x"},
      {"http://u:p@b.example/", "http://u:p@b.example/"},
      {"http://u:@b.example/", "http://u@b.example/"},
      {"http://:@b.example/", "http://b.example/"},
      {"http://:p:q@b.example/", "http://:p%3Aq@b.example/"},
      {" \tx y\n<>\"z ", "https://a.example/b/x%20y%3C%3E%22z"},
      {"x\n\ty", "https://a.example/b/xy"},
      {"é", "https://a.example/b/%C3%A9"},
      {"mailto:a@b c", "mailto:a@b%20c"},
      {"http://", ""},
      {"http://a b/", ""},
      {"http://a:99999/", ""},
      {"http://a:x/", ""},
      {"http://[b.example]/", ""},
      {"http://[::1::]/", ""},
      {"http://a]b/", ""},
  };
  for (const Case& c : cases)
    EXPECT_EQ(resolve_reference("https://a.example/b/c?d#e", c.reference), c.url) << c.reference;
}

TEST(UrlReference, RelativeOnesNeedAWebBase) {
  for (const std::string_view base : {"", "mailto:a@b", "/x", "https://"}) {
    EXPECT_EQ(resolve_reference(base, "x"), "") << base;
    EXPECT_NE(base_url_fault(base), "") << base;
    EXPECT_EQ(resolve_reference(base, "http://a.example"), "http://a.example/") << base;
  }
}

TEST(UrlReference, ABaseMayBeWrittenInAnyWay) {
  for (const std::string_view base : {"http://a.example", "HTTPS://a.example/", " https:\\\\a\\b"})
    EXPECT_EQ(base_url_fault(base), "") << base;
}

// Whether it names a host that stays as written: an address, or one with letters beyond ASCII.
bool is_left_as_written(std::string_view reference) {
  const std::size_t slashes = reference.find("//");
  if (slashes == std::string_view::npos) return false;
  std::string_view host = reference.substr(slashes + 2);
  host = host.substr(0, host.find_first_of("/\\?#"));
  host.remove_prefix(host.rfind('@') + 1);
  if (host.starts_with('[')) return true;
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return (!last.empty() && last.front() >= '0' && last.front() <= '9') ||
         std::ranges::any_of(host, [](char c) { return c == '%' || (c & 0x80) != 0; });
}

TEST(UrlReference, AgreesWithTheStandardsTestData) {
  const auto folder = corpus("url");
  if (!folder) GTEST_SKIP() << "FETCHMILL_CORPORA is not set";
  simdjson::dom::parser parser;
  simdjson::dom::array cases;
  ASSERT_FALSE(parser.parse(read_file(*folder / "urltestdata.json")).get(cases));
  const auto text_of = [](simdjson::dom::element c, std::string_view name) {
    std::string_view text;
    return c[name].get(text) ? std::string_view() : text;
  };
  const auto is_web = [](std::string_view url) {
    return url.starts_with("http:") || url.starts_with("https:");
  };
  std::size_t held = 0;
  std::size_t hosts = 0;
  for (const simdjson::dom::element c : cases) {
    if (!c.is_object()) continue;  // a remark
    const std::string_view input = text_of(c, "input");
    const std::string_view base = text_of(c, "base");
    const std::string_view url = text_of(c, "href");  // none: it is malformed
    if (!is_web(url.empty() ? input : url)) continue;
    if (is_left_as_written(input)) {
      ++hosts;
      continue;
    }
    ++held;
    EXPECT_EQ(resolve_reference(base, input), url) << input << " against " << base;
  }
  EXPECT_EQ(held, 278U) << "of the standard's cases for http and https";
  EXPECT_EQ(hosts, 167U) << "about what becomes of addresses and of letters beyond ASCII";
}

}  // namespace
}  // namespace fetchmill::workers::ops
