// URL templates: RFC 6570's examples of level 1, and what is refused.
#include "handlers/uri_template.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

// The variables of RFC 6570 §3.2.
const Variables variables{{"var", "value"},
                          {"hello", "Hello World!"},
                          {"half", "50%"},
                          {"empty", ""},
                          {"path", "/foo/bar"},
                          {"who", "fred"},
                          {"base", "http://example.com/home/"},
                          {"dub", "me/too"},
                          {"x", "1024"},
                          {"y", "768"},
                          {"semi", ";"},
                          {"v", "6"},
                          {"a.b", "dotted"},
                          {"%41", "encoded name"},
                          {"u", "\xc3\xbc\n&=?#+"}};

std::string expanded(std::string_view text, std::size_t bytes_max = 1000) {
  const auto url = expand_template(text, variables, bytes_max);
  if (url) return *url;
  EXPECT_EQ(url.error().code, config::ErrorCode::invalid_request);
  EXPECT_FALSE(url.error().detail.empty());
  return "error " + url.error().field;
}

TEST(UriTemplateTest, Level1OfRfc6570) {
  const struct {
    std::string_view text, url;
  } cases[] = {
      // §1.2 and §3.2.2, as far as they are level 1.
      {"{var}", "value"},
      {"{hello}", "Hello%20World%21"},
      {"{half}", "50%25"},
      {"O{empty}X", "OX"},
      {"{semi}", "%3B"},
      {"{base}index", "http%3A%2F%2Fexample.com%2Fhome%2Findex"},
      {"{path}/here", "%2Ffoo%2Fbar/here"},
      {"map?{x}&{y}", "map?1024&768"},
      // Ours.
      {"", ""},
      {"http://a.example/?q=1", "http://a.example/?q=1"},
      {"http://a.example/{who}/{who}?v={v}", "http://a.example/fred/fred?v=6"},
      {"{u}", "%C3%BC%0A%26%3D%3F%23%2B"},
      {"{a.b}{%41}", "dottedencoded%20name"},
      {"a%20b {dub}", "a%20b me%2Ftoo"},
  };
  for (const auto& row : cases) EXPECT_EQ(expanded(row.text), row.url) << row.text;
}

TEST(UriTemplateTest, AMissingValueIsNamed) {
  EXPECT_EQ(expanded("http://a.example/{undef}"), "error vars.undef");
  EXPECT_EQ(expanded("{Var}"), "error vars.Var");
}

TEST(UriTemplateTest, WhatIsNoTemplate) {
  for (const std::string_view text :
       {"{",      "}",     "{}",      "{var",    "var}",      "{var}}", "{{var}}",
        "{ var}", "{x,y}", "{+path}", "{#path}", "{.who}",    "{/who}", "{;x}",
        "{?x}",   "{&x}",  "{var:3}", "{list*}", "{a..b}",    "{a.}",   "{%4}",
        "{%zz}",  "{a-b}", "{=x}",    "{|x}",    "{\xc3\xbc}"}) {
    const auto checked = check_template(text);
    ASSERT_FALSE(checked) << text;
    EXPECT_EQ(checked.error().code, config::ErrorCode::invalid_request);
    EXPECT_NE(checked.error().detail.find("byte "), std::string::npos) << text;
    EXPECT_EQ(expanded(text), "error ") << text;
  }
  EXPECT_EQ(check_template("http://a/{").error().detail.substr(0, 6), "byte 9");
}

TEST(UriTemplateTest, TellsATemplateFromAUrl) {
  EXPECT_FALSE(*check_template(""));
  EXPECT_FALSE(*check_template("http://a.example/%7Bx%7D"));
  EXPECT_TRUE(*check_template("http://a.example/{x}"));
}

TEST(UriTemplateTest, TheResultIsBounded) {
  EXPECT_EQ(expanded("ab{var}", 7), "abvalue");
  EXPECT_EQ(expanded("ab{var}", 6), "error vars.var");
  EXPECT_EQ(expanded("{half}", 4), "error vars.half");
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "{v}";
  const Variables large{{"v", std::string(1 << 20, 'x')}};
  EXPECT_FALSE(expand_template(text, large, 16384));
}

}  // namespace
}  // namespace fetchmill::handlers
