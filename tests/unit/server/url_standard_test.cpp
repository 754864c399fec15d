// The URL parser against the WHATWG URL Standard's own test data (web-platform-tests), as far as
// http and https go.
#include "server/fetch/url.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

// One case: its string members by name. `null` is absent, `failure` is "true".
using Case = std::map<std::string, std::string>;

// Reads the file's shape only: an array of strings (comments) and flat objects. A reader of its own
// because the data holds lone surrogates, which become U+FFFD here and an error in JSON libraries.
class CaseReader {
 public:
  explicit CaseReader(std::string_view text) : text_(text) {}

  std::vector<Case> read() {
    std::vector<Case> cases;
    expect('[');
    do {
      if (peek() == '"')
        read_string();
      else
        cases.push_back(read_object());
    } while (accept(','));
    expect(']');
    return cases;
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  Case read_object() {
    Case members;
    expect('{');
    do {
      const std::string name = read_string();
      expect(':');
      if (peek() == '"') {
        members[name] = read_string();
      } else {
        const std::size_t end = std::min(text_.size(), text_.find_first_of(",}\n"));
        if (text_.starts_with("true")) members[name] = "true";
        text_.remove_prefix(end);
      }
    } while (!failed_ && accept(','));
    expect('}');
    return members;
  }

  std::string read_string() {
    std::string out;
    expect('"');
    while (!text_.empty() && text_.front() != '"') {
      if (text_.front() != '\\') {
        out += take();
        continue;
      }
      take();
      const char escape = take();
      constexpr std::string_view names = "bfnrt";
      constexpr std::string_view values = "\b\f\n\r\t";
      if (escape == 'u')
        append_utf8(out, take_code_point());
      else if (const auto at = names.find(escape); at != std::string_view::npos)
        out += values[at];
      else
        out += escape;
    }
    expect('"');
    return out;
  }

  unsigned take_hex4() {
    const unsigned value =
        static_cast<unsigned>(std::stoul(std::string(text_.substr(0, 4)), nullptr, 16));
    text_.remove_prefix(4);
    return value;
  }
  unsigned take_code_point() {
    constexpr unsigned replacement = 0xfffd;
    const unsigned unit = take_hex4();
    if (unit < 0xd800 || unit > 0xdfff) return unit;
    if (unit >= 0xdc00 || !text_.starts_with("\\u")) return replacement;
    const std::string_view before = text_;
    text_.remove_prefix(2);
    const unsigned low = take_hex4();
    if (low >= 0xdc00 && low <= 0xdfff) return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    text_ = before;
    return replacement;
  }
  static void append_utf8(std::string& out, unsigned c) {
    const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
    if (c < 0x80) return put(c);
    if (c < 0x800) {
      put(0xc0 | c >> 6);
    } else {
      if (c < 0x10000) {
        put(0xe0 | c >> 12);
      } else {
        put(0xf0 | c >> 18);
        put(0x80 | (c >> 12 & 0x3f));
      }
      put(0x80 | (c >> 6 & 0x3f));
    }
    put(0x80 | (c & 0x3f));
  }

  char peek() {
    const std::size_t at = text_.find_first_not_of(" \n\r\t");
    text_.remove_prefix(std::min(text_.size(), at));
    return text_.empty() ? '\0' : text_.front();
  }
  char take() {
    const char c = text_.empty() ? '\0' : text_.front();
    text_.remove_prefix(std::min<std::size_t>(text_.size(), 1));
    return c;
  }
  bool accept(char c) {
    if (peek() != c) return false;
    take();
    return true;
  }
  void expect(char c) {
    if (accept(c)) return;
    failed_ = true;
    text_ = {};
  }

  std::string_view text_;
  bool failed_ = false;
};

// The scheme of a text as the standard would find it; empty if there is none.
std::string scheme_of(std::string text) {
  std::erase_if(text, [](char c) { return c == '\t' || c == '\n' || c == '\r'; });
  const auto first = std::find_if(text.begin(), text.end(),
                                  [](char c) { return static_cast<unsigned char>(c) > 0x20; });
  text.erase(text.begin(), first);
  const auto colon = std::find(text.begin(), text.end(), ':');
  std::string scheme(text.begin(), colon);
  const auto fits = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.';
  };
  if (colon == text.end() || scheme.empty() || std::isalpha(scheme[0]) == 0 ||
      !std::all_of(scheme.begin(), scheme.end(), fits))
    return {};
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return scheme;
}

bool is_ours(const std::string& scheme) {
  return scheme == "http" || scheme == "https";
}

std::string member(const Case& c, const std::string& name) {
  const auto found = c.find(name);
  return found == c.end() ? std::string() : found->second;
}

// Empty when the parser agrees with the case, else what differs.
std::string difference(const Case& c) {
  const bool must_fail = member(c, "failure") == "true";
  std::optional<Url> base;
  if (c.contains("base") && is_ours(scheme_of(member(c, "base")))) {
    const auto parsed = parse_url(member(c, "base"));
    if (!parsed) return must_fail ? "" : "the base was refused";
    base = *parsed;
  }
  const std::string input = member(c, "input");
  const auto url = base ? resolve_url(*base, input) : parse_url(input);
  if (must_fail) return url ? "accepted as " + url->href() : "";
  if (!url) return "refused: " + url.error().detail;

  const std::string port = url->has_default_port() ? "" : std::to_string(url->port);
  const auto shown = [](char delimiter, std::optional<std::string_view> part) {
    return part && !part->empty() ? delimiter + std::string(*part) : "";
  };
  const std::vector<std::array<std::string, 2>> parts{
      {"href", url->href()},
      {"protocol", std::string(to_string(url->scheme)) + ':'},
      {"username", std::string(url->username())},
      {"password", std::string(url->password())},
      {"hostname", url->host.text},
      {"host", url->host_header()},
      {"port", port},
      {"pathname", std::string(url->path())},
      {"search", shown('?', url->query())},
      {"hash", shown('#', url->fragment())}};
  for (const auto& [name, value] : parts)
    if (value != member(c, name))
      return std::string(name).append(" is ").append(value).append(", not ").append(
          member(c, name));
  return "";
}

TEST(UrlStandard, AgreesWithTheStandardsTestData) {
  const char* const corpora = std::getenv("FETCHMILL_CORPORA");
  if (corpora == nullptr) GTEST_SKIP() << "FETCHMILL_CORPORA is not set";
  std::ifstream file(std::string(corpora) + "/url/urltestdata.json", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  CaseReader reader(text);
  const std::vector<Case> cases = reader.read();
  ASSERT_FALSE(reader.failed());

  std::size_t accepted = 0;
  std::size_t refused = 0;
  std::size_t other_scheme = 0;
  std::size_t other_base = 0;
  for (const Case& c : cases) {
    const std::string input = member(c, "input");
    const std::string own = scheme_of(input);
    const std::string scheme = own.empty() ? scheme_of(member(c, "base")) : own;
    if (!scheme.empty() && !is_ours(scheme)) {
      // Not ours to parse, ours to refuse.
      (own.empty() ? other_base : other_scheme)++;
      EXPECT_FALSE(parse_url(input)) << input;
      continue;
    }
    (member(c, "failure") == "true" ? refused : accepted)++;
    EXPECT_EQ(difference(c), "") << "input " << input << " base " << member(c, "base");
  }
  // Were the reader to lose cases, these would tell.
  EXPECT_GT(accepted, 200U);
  EXPECT_GT(refused, 150U);
  std::cout << "urltestdata.json: " << cases.size() << " cases; held against " << accepted
            << " URLs and " << refused
            << " failures; refused for a scheme other than http and https: " << other_scheme
            << " of their own, " << other_base << " of their base\n";
}

}  // namespace
}  // namespace fetchmill::server::fetch
