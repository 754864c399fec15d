#include "config/forms.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

struct FormCase {
  Form form;
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

const std::vector<FormCase> cases{
    {Form::listen_address,
     {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:65535", "[::]:80", "[::ffff:10.0.0.1]:1"},
     {"", ":", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:080",
      "127.0.0.1:-1", "127.0.0.1:8080x", "127.1:80", "::1:80", "[::1]", "[127.0.0.1]:80",
      "[::1%lo]:80", "localhost:80", std::string("127.0.0.1\0:80", 13)}},
    {Form::listen_address_or_none,
     {"", "127.0.0.1:0", "[::1]:65535"},
     {":", "8080", "localhost:80"}},
    {Form::path,
     {"", "/etc/ssl/ca.pem", "a b", "\u00fc.pem"},
     {"a\nb", std::string("a\0b", 3), "\x7f", "\xff", "\xc0\x80", "\xed\xa0\x80", "\xe2\x82"}},
    {Form::network,
     {"0.0.0.0/0", "10.0.0.0/8", "127.0.0.1/32", "192.168.0.128/25", "::/0", "::1/128", "fd00::/8"},
     {"", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8x",
      "10.0.0.1/8", "192.168.0.128/24", "10.0/8", "::1/127", "::1/129", "fe80::%eth0/10", "a/8",
      "10.0.0.0/255.0.0.0"}},
    {Form::port,
     {"1", "80", "65535"},
     {"", "0", "65536", "080", "-1", "80x", "http", "99999999999"}},
    {Form::host,
     {"*", "localhost", "A.example", "127.0.0.1", "[::1]", "xn--a", "a_b"},
     {"", "a:80", "::1", "[::1", "[]", "a b", "http://a", "*.a", "a/b", std::string(254, 'a')}},
    {Form::origin,
     {"http://a", "https://a.example:8443", "http://127.0.0.1:3000", "http://[::1]:3000",
      "http://a:443"},
     {"", "a", "*", "null", "ftp://a", "https://", "https://a/", "https://A", "https://a:443",
      "http://a:80", "https://a:0", "https://a:x", "https://u@a", "https://[a]", "HTTPS://a"}},
    {Form::name_server,
     {"192.0.2.53", "127.0.0.1:5353", "[::1]", "[2001:db8::53]:53"},
     {"", "ns.example", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:65536", "192.0.2.53,192.0.2.54",
      "::1", "[::1", "[fe80::1%eth0]", "1.2.3", " 192.0.2.53"}},
    {Form::scheme, {"http", "https"}, {"", "HTTP", "http:", "ftp"}},
    {Form::host_pattern,
     {"a", "a.example", "a.example.", "*.example.com", ".example.com", "b\u00fccher.example",
      "*.b\u00fccher.example", "192.0.2.1", "[::1]", "A_b-1.example"},
     {"",     ".",   "*",   "*.",  "*a",   "*.*.a",   "a.*",      "..a",  "*..a", "a..b",
      "a:80", "a/b", "a b", "::1", "[::1", "*.[::1]", "http://a", "\xff", "a@b",  "a%41"}},
    {Form::origin_pattern,
     {"http://a", "https://a.example:8443", "https://*.corp.example:8443", "http://.a",
      "http://[::1]", "http://[::1]:81", "https://b\u00fccher.example"},
     {"", "a", "a.example:80", "ftp://a", "https://", "https://*", "https://a/",
      "https://a:", "https://a:0", "https://a:x", "https://u@a", "https://[::1", "HTTPS://a"}},
    {Form::proxy,
     {"", "http://proxy:3128", "https://proxy.example:443", "http://[::1]:1", "http://10.0.0.1:80",
      "http://user@proxy:1", "http://user:pa%3Ass@proxy:1", "http://a:b:c@proxy:1"},
     {"proxy:3128", "http://proxy", "http://proxy:3128/", "http://:3128", "http://proxy:0",
      "socks5://proxy:1", "http://a@b@proxy:1", "http://a b@proxy:1", "http://a/b@proxy:1",
      "http://proxy:3128?x", "http://pr oxy:1"}},
    {Form::line, {"", "a b", "\u00fc"}, {"a\nb", "\x7f", "\xff"}},
    {Form::steps, {"[]", R"([{"op":"hash"}])"}, {"", "x", "{}", "[", "]", "[ ] "}},
    {Form::method, {"GET", "DELETE"}, {"", "get", "TRACE", "CONNECT", "GET "}},
    {Form::header_name,
     {"Authorization", "X-Api-Key", "a!#$%&'*+-.^_`|~9"},
     {"", "a b", "a:", "\u00fc", "a\n", std::string(257, 'a')}},
    {Form::header_value,
     {"a", "Bearer a b", "\u00fc", "\"\\"},
     {"", " a", "a ", "a\nb", "a\tb", "\x7f", std::string(8193, 'a')}},
    {Form::op_pattern,
     {"hash", "json.select", "json.*", "py.My_op"},
     {"", "*", ".*", "a b", "js*"}},
};

TEST(Forms, AreRecognised) {
  for (const FormCase& c : cases) {
    for (const std::string& text : c.good) EXPECT_TRUE(matches(c.form, text)) << '"' << text << '"';
    for (const std::string& text : c.bad) EXPECT_FALSE(matches(c.form, text)) << '"' << text << '"';
  }
}

TEST(Forms, HaveTheirOwnNames) {
  EXPECT_EQ(placeholder(Form::listen_address), "IP:PORT");
  EXPECT_EQ(placeholder(Form::path), "PATH");
  EXPECT_EQ(placeholder(Form::network), "NETWORK");
  EXPECT_EQ(placeholder(Form::port), "PORT");
  EXPECT_EQ(placeholder(Form::host), "HOST");
  EXPECT_EQ(placeholder(Form::origin), "ORIGIN");
  EXPECT_EQ(placeholder(Form::name_server), "IP[:PORT]");
}

}  // namespace
}  // namespace fetchmill::config
