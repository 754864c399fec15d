#include "config/version.hpp"
#include "server/fetch/body_framer.hpp"
#include "server/fetch/hosts_file.hpp"
#include "server/fetch/redirect.hpp"
#include "server/fetch/request.hpp"

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

using namespace std::string_literals;
using wire::Method;

Url url(std::string_view text) {
  config::Result<Url> parsed = parse_url(text);
  EXPECT_TRUE(parsed) << text;
  return *parsed;
}

TEST(FetchMethod, KnowsThoseAnUpstreamMayBeAskedFor) {
  for (const char* name : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
    EXPECT_TRUE(check_method(name)) << name;
  for (const char* name : {"", "get", "CONNECT", "TRACE", "GET ", "FOO", "PURGE", "G\r\nET"})
    EXPECT_FALSE(check_method(name)) << name;
}

TEST(FetchHeader, RefusesWhatIsNotAFieldLineOrNotTheCallers) {
  const struct {
    std::string name, value;
    bool allowed;
  } cases[] = {
      {"X-Key", "a b", true},
      {"X-Empty", "", true},
      {"Authorization", "Bearer abc", true},
      {"X-Latin", "caf\xe9", true},
      {"X-Tab", "a\tb", true},
      {"", "a", false},
      {"X Key", "a", false},
      {"X:Key", "a", false},
      {"X-Key\r\nHost", "a", false},
      {"X-Key", "a\r\nHost: evil", false},
      {"X-Key", "a\nb", false},
      {"X-Key", "a\rb", false},
      {"X-Key", "a\0b"s, false},
      {"X-Key", "a\x7f", false},
      {"X-Key", " a", false},
      {"X-Key", "a\t", false},
      {"host", "other", false},
      {"Content-Length", "5", false},
      {"TRANSFER-ENCODING", "chunked", false},
      {"Connection", "close", false},
      {"Keep-Alive", "1", false},
      {"TE", "trailers", false},
      {"Trailer", "X", false},
      {"Upgrade", "h2c", false},
      {"Expect", "100-continue", false},
      {"Proxy-Connection", "close", false},
      {"Proxy-Authorization", "x", false},
  };
  for (const auto& c : cases)
    EXPECT_EQ(check_header(c.name, c.value).has_value(), c.allowed) << c.name << ": " << c.value;
}

TEST(FetchHeader, NamesTheFieldThatIsWrong) {
  const std::vector<Header> headers{{"X-A", "1"}, {"Host", "b"}};
  const config::Result<void> checked = check_headers(headers);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().field, "headers.Host");
  EXPECT_EQ(check_headers({{{"X-A", "1"}}}).has_value(), true);
}

TEST(FetchHeader, BoundsNumberAndSize) {
  const std::vector<Header> many(request_headers_max + 1, Header{"X", "1"});
  EXPECT_EQ(check_headers(many).error().field, "headers");
  const std::vector<Header> large{{"X", std::string(request_header_bytes_max, 'a')}};
  EXPECT_EQ(check_headers(large).error().field, "headers");
}

TEST(FetchStatus, RangesAreNumbersOrClasses) {
  EXPECT_EQ(*parse_status_range("404"), (StatusRange{404, 404}));
  EXPECT_EQ(*parse_status_range("2xx"), (StatusRange{200, 299}));
  for (const char* text : {"", "2", "2x", "xxx", "6xx", "099", "2XX", "4040", "40x", "-40"})
    EXPECT_FALSE(parse_status_range(text)) << text;
}

TEST(FetchStatus, NothingSaidMeansSuccess) {
  EXPECT_TRUE(accepts({}, 200));
  EXPECT_TRUE(accepts({}, 299));
  EXPECT_FALSE(accepts({}, 199));
  EXPECT_FALSE(accepts({}, 304));
  const std::vector<StatusRange> ranges{{404, 404}, {500, 599}};
  EXPECT_TRUE(accepts(ranges, 404));
  EXPECT_TRUE(accepts(ranges, 503));
  EXPECT_FALSE(accepts(ranges, 200));
}

TEST(FetchRequestHead, SaysWhatIsNeededAndNoMore) {
  FetchRequest request;
  request.url = url("http://Example.com/a%20b?q=1#f");
  std::string head;
  append_request_head(head, request);
  EXPECT_EQ(head, "GET /a%20b?q=1 HTTP/1.1\r\nHost: example.com\r\nUser-Agent: fetchmill/" +
                      std::string(config::version) +
                      "\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n");
}

TEST(FetchRequestHead, AsksForCodingsUnlessTheCallerDoes) {
  struct Case {
    std::vector<Header> headers;
    std::string_view fields;
    bool ours;
  };
  const std::vector<Case> cases{
      {{}, "Accept-Encoding: gzip, deflate, br, zstd\r\n", true},
      {{{"accept-encoding", "br;q=0.5"}}, "accept-encoding: br;q=0.5\r\n", false},
      {{{"Accept-Encoding", ""}}, "Accept-Encoding: \r\n", false},
      {{{"range", "bytes=0-9"}}, "Accept-Encoding: identity\r\nrange: bytes=0-9\r\n", true},
  };
  for (const Case& c : cases) {
    FetchRequest request;
    request.url = url("http://a/");
    request.headers = c.headers;
    std::string head;
    append_request_head(head, request);
    EXPECT_TRUE(head.ends_with("Accept: */*\r\n" + std::string(c.fields) + "\r\n")) << head;
    EXPECT_EQ(codings_are_ours(request), c.ours) << head;
  }
}

TEST(FetchRequestHead, TellsOfTheTraceUnlessTheTaskDoes) {
  const struct {
    std::vector<Header> headers;
    std::string_view sent;
  } cases[] = {
      {{}, "\r\ntraceparent: ours\r\ntracestate: a=1\r\n\r\n"},
      {{{"X-Other", "1"}}, "\r\nX-Other: 1\r\ntraceparent: ours\r\ntracestate: a=1\r\n\r\n"},
      {{{"TraceParent", "theirs"}}, "\r\nTraceParent: theirs\r\n\r\n"},
      {{{"Tracestate", "b=2"}}, "\r\nTracestate: b=2\r\n\r\n"},
  };
  for (const auto& row : cases) {
    FetchRequest request;
    request.url = url("http://a.example/");
    request.headers = row.headers;
    request.trace = {{"traceparent", "ours"}, {"tracestate", "a=1"}};
    std::string head;
    append_request_head(head, request);
    EXPECT_TRUE(head.ends_with(row.sent)) << head;
  }
}

TEST(FetchRequestHead, KeepsTheCallersFieldsAndDeclaresTheBody) {
  FetchRequest request;
  request.url = url("https://[::1]:8443/");
  request.method = Method::post;
  request.headers = {{"accept", "text/html"}, {"User-Agent", "me"}};
  request.body = "hello";
  std::string head;
  append_request_head(head, request);
  EXPECT_EQ(head,
            "POST / HTTP/1.1\r\nHost: [::1]:8443\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
            "accept: text/html\r\nUser-Agent: me\r\nContent-Length: 5\r\n\r\n");
}

TEST(FetchRequestHead, DeclaresAnEmptyBodyWhereOneIsExpected) {
  for (const Method method : {Method::post, Method::put, Method::patch}) {
    FetchRequest request;
    request.url = url("http://a/");
    request.method = method;
    std::string head;
    append_request_head(head, request);
    EXPECT_NE(head.find("\r\nContent-Length: 0\r\n"), std::string::npos) << head;
  }
}

TEST(FetchNextStep, FollowsRedirectsAndJudgesStatuses) {
  const std::vector<StatusRange> redirects_accepted{{300, 399}};
  const struct {
    unsigned status;
    bool location;
    std::uint64_t done, max;
    std::vector<StatusRange> accepted;
    NextStep next;
  } cases[] = {
      {200, false, 0, 5, {}, NextStep::deliver},
      {204, false, 0, 5, {}, NextStep::deliver},
      {404, false, 0, 5, {}, NextStep::refuse_status},
      {404, true, 0, 5, {}, NextStep::refuse_status},
      {404, false, 0, 5, {{404, 404}}, NextStep::deliver},
      {200, false, 0, 5, {{404, 404}}, NextStep::refuse_status},
      {301, true, 0, 5, {}, NextStep::follow},
      {302, true, 4, 5, {}, NextStep::follow},
      {303, true, 5, 5, {}, NextStep::too_many_redirects},
      {307, true, 0, 0, {}, NextStep::too_many_redirects},
      {308, true, 0, 0, redirects_accepted, NextStep::deliver},
      {308, true, 0, 5, redirects_accepted, NextStep::follow},
      {302, false, 0, 5, {}, NextStep::refuse_status},
      {300, true, 0, 5, {}, NextStep::refuse_status},
      {304, true, 0, 5, {}, NextStep::refuse_status},
      {304, false, 0, 5, {{304, 304}}, NextStep::deliver},
  };
  for (const auto& c : cases)
    EXPECT_EQ(next_step(c.status, c.location, c.done, c.max, c.accepted), c.next)
        << c.status << " after " << c.done << " of " << c.max;
}

TEST(FetchRedirect, ChangesTheMethodAsTheStatusSays) {
  const struct {
    unsigned status;
    Method before, after;
  } cases[] = {
      {301, Method::get, Method::get},   {301, Method::post, Method::get},
      {301, Method::put, Method::put},   {302, Method::post, Method::get},
      {302, Method::head, Method::head}, {302, Method::delete_, Method::delete_},
      {303, Method::post, Method::get},  {303, Method::put, Method::get},
      {303, Method::head, Method::head}, {307, Method::post, Method::post},
      {308, Method::post, Method::post}, {308, Method::get, Method::get},
  };
  for (const auto& c : cases) EXPECT_EQ(redirected_method(c.status, c.before), c.after) << c.status;
}

FetchRequest post_with_credentials(std::string_view from) {
  FetchRequest request;
  request.url = url(from);
  request.method = Method::post;
  request.body = "b";
  request.headers = {{"Authorization", "x"}, {"Cookie", "x"},       {"X-Api-Key", "x"},
                     {"Accept", "a"},        {"Content-Type", "t"}, {"Content-Language", "l"}};
  return request;
}

std::vector<std::string> names(const FetchRequest& request) {
  std::vector<std::string> all;
  for (const Header& header : request.headers) all.push_back(header.name);
  return all;
}

TEST(FetchRedirect, KeepsEverythingWithinTheOrigin) {
  FetchRequest request = post_with_credentials("https://a/1");
  ASSERT_TRUE(redirect(request, 307, url("https://a:443/2")));
  EXPECT_EQ(request.headers.size(), 6u);
  EXPECT_EQ(request.body, "b");
  EXPECT_EQ(request.url.path(), "/2");
}

TEST(FetchRedirect, DropsTheBodyAndWhatDescribesItWithTheMethod) {
  FetchRequest request = post_with_credentials("https://a/1");
  ASSERT_TRUE(redirect(request, 303, url("https://a/2")));
  EXPECT_EQ(names(request),
            (std::vector<std::string>{"Authorization", "Cookie", "X-Api-Key", "Accept"}));
  EXPECT_EQ(request.body, "");
  EXPECT_EQ(request.method, Method::get);
}

TEST(FetchRedirect, SendsNoPossibleCredentialToAnotherOrigin) {
  for (const char* to : {"https://b/", "https://a:444/", "https://sub.a/"}) {
    FetchRequest request = post_with_credentials("https://a/1");
    ASSERT_TRUE(redirect(request, 307, url(to)));
    EXPECT_EQ(names(request),
              (std::vector<std::string>{"Accept", "Content-Type", "Content-Language"}))
        << to;
  }
}

TEST(FetchRedirect, SendsNoBodyFromHttpsDownToHttp) {
  FetchRequest post = post_with_credentials("https://a/1");
  EXPECT_EQ(redirect(post, 307, url("http://a/")).error().code, config::ErrorCode::url_denied);
  FetchRequest get = post_with_credentials("https://a/1");
  EXPECT_TRUE(redirect(get, 302, url("http://a/")));
  EXPECT_EQ(names(get), (std::vector<std::string>{"Accept"}));
}

TEST(FetchFramer, SaysWhatIsPayload) {
  using Status = BodyFramer::Status;
  BodyFramer framer;
  framer.begin(wire::Framing::length, 3);
  std::string_view bytes = "abc";
  EXPECT_EQ(framer.next(bytes), Status::payload);
  EXPECT_EQ(framer.due(), 3u);
  framer.take(3);
  EXPECT_EQ(framer.next(bytes), Status::complete);

  framer.begin(wire::Framing::chunked, 0);
  bytes = "2\r\nab\r\n0\r\n\r\nrest";
  EXPECT_EQ(framer.next(bytes), Status::payload);
  EXPECT_EQ(framer.due(), 2u);
  EXPECT_EQ(bytes.substr(0, 2), "ab");
  bytes.remove_prefix(2);
  framer.take(2);
  EXPECT_EQ(framer.next(bytes), Status::complete);
  EXPECT_EQ(bytes, "rest");

  framer.begin(wire::Framing::chunked, 0);
  bytes = "x\r\n";
  EXPECT_EQ(framer.next(bytes), Status::refused);

  framer.begin(wire::Framing::none, 0);
  EXPECT_EQ(framer.next(bytes), Status::complete);
}

TEST(FetchHosts, ReadsNamesAndSkipsTheRest) {
  const HostsFile hosts = parse_hosts(
      "# comment 1.2.3.4 no\n127.0.0.1\tLocalHost alias. # other\n::1 localhost\r\n\nnonsense x\n"
      "10.0.0.1");
  ASSERT_EQ(hosts.size(), 2u);
  EXPECT_EQ(hosts.at("localhost").size(), 2u);
  EXPECT_EQ(to_string(hosts.at("alias").at(0)), "127.0.0.1");
}

}  // namespace
}  // namespace fetchmill::server::fetch
