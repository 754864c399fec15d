#include "server/fetch/address_order.hpp"
#include "server/fetch/dns_answer.hpp"
#include "server/fetch/name_cache.hpp"
#include "server/fetch/resolv_conf.hpp"

#include <algorithm>

#include <ares.h>
#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

using namespace std::string_literals;
using std::chrono::seconds;

std::string text(const std::vector<Address>& addresses) {
  std::string all;
  for (const Address& address : addresses) all += (all.empty() ? "" : " ") + to_string(address);
  return all;
}

std::vector<Address> addresses(std::string_view words) {
  std::vector<Address> all;
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(' '));
    all.push_back(parse_address(word).value());
    words.remove_prefix(std::min(word.size() + 1, words.size()));
  }
  return all;
}

TEST(DialOrder, TakesTurnsWhereIpv6IsRoutedAndPutsItLastElsewhere) {
  struct Case {
    std::string_view given, routed, not_routed;
  };
  const Case cases[] = {
      {"", "", ""},
      {"192.0.2.1", "192.0.2.1", "192.0.2.1"},
      {"2001:db8::1", "2001:db8::1", "2001:db8::1"},
      {"192.0.2.1 2001:db8::1", "2001:db8::1 192.0.2.1", "192.0.2.1 2001:db8::1"},
      {"192.0.2.2 192.0.2.1 192.0.2.3 2001:db8::1", "2001:db8::1 192.0.2.2 192.0.2.1 192.0.2.3",
       "192.0.2.2 192.0.2.1 192.0.2.3 2001:db8::1"},
      {"2001:db8::1 2001:db8::2 2001:db8::3 192.0.2.1",
       "2001:db8::1 192.0.2.1 2001:db8::2 2001:db8::3",
       "192.0.2.1 2001:db8::1 2001:db8::2 2001:db8::3"},
      {"192.0.2.1 192.0.2.1 2001:db8::1 192.0.2.1", "2001:db8::1 192.0.2.1",
       "192.0.2.1 2001:db8::1"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(text(dial_order(addresses(c.given), true)), c.routed) << c.given;
    EXPECT_EQ(text(dial_order(addresses(c.given), false)), c.not_routed) << c.given;
  }
}

TEST(ResolvConf, IsReadAsTheManualSays) {
  const ResolvConf none = parse_resolv_conf("");
  EXPECT_TRUE(none.search.empty());
  EXPECT_EQ(none.ndots, 1u);
  EXPECT_EQ(none.timeout.count(), 0);
  EXPECT_EQ(none.attempts, 0);
  const ResolvConf conf = parse_resolv_conf(
      "# search no.test\n;options ndots:9\nnameserver 192.0.2.53\ndomain old.test\n"
      "search a.test\tb.test . \r\noptions rotate ndots:5 timeout:3\noptions attempts:2 edns0");
  EXPECT_EQ(conf.search, (std::vector{"a.test"s, "b.test"s}));
  EXPECT_EQ(conf.ndots, 5u);
  EXPECT_EQ(conf.timeout, seconds(3));
  EXPECT_EQ(conf.attempts, 2);
  const ResolvConf odd = parse_resolv_conf(
      "options ndots:99999999999 timeout:31 attempts:6 ndots: timeout:x attempts:1x ndotsx:1");
  EXPECT_EQ(odd.ndots, 15u);
  EXPECT_EQ(odd.timeout, seconds(30));
  EXPECT_EQ(odd.attempts, 5);
}

TEST(ResolvConf, DecidesWhichNamesAreAskedFor) {
  const ResolvConf plain;
  const ResolvConf search{{"a.test", "b.test"}, 2, {}, 0};
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_to_ask("db", plain), Names{"db"});
  EXPECT_EQ(names_to_ask("db", search), (Names{"db.a.test", "db.b.test", "db"}));
  EXPECT_EQ(names_to_ask("db.x", search), (Names{"db.x.a.test", "db.x.b.test", "db.x"}));
  EXPECT_EQ(names_to_ask("db.x.y", search), (Names{"db.x.y", "db.x.y.a.test", "db.x.y.b.test"}));
  EXPECT_EQ(names_to_ask("db.", search), Names{"db."});
  EXPECT_EQ(names_to_ask("abc.onion", search), Names{});
  EXPECT_EQ(names_to_ask("abc.onion.", plain), Names{});
}

// Messages as a name server writes them, for the question "n.test".
const std::string owner = "\xc0\x0c"s;
const std::string other_owner = "\1o\xc0\x0e"s;  // o.test

std::string number(unsigned value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string record(const std::string& name, unsigned type, unsigned ttl, const std::string& data) {
  return name + number(type, 2) + number(1, 2) + number(ttl, 4) +
         number(static_cast<unsigned>(data.size()), 2) + data;
}

std::string a(unsigned ttl, const std::string& name = owner) {
  return record(name, 1, ttl, "\xc0\x00\x02\x01"s);
}

std::string soa(unsigned ttl, unsigned minimum) {
  return record("\xc0\x0e"s, 6, ttl, "\0\0"s + std::string(16, '\1') + number(minimum, 4));
}

std::string message(const std::vector<std::string>& answers,
                    const std::vector<std::string>& authorities = {}, unsigned type = 1) {
  std::string out = "\0\0\x81\x80\0\1"s + number(static_cast<unsigned>(answers.size()), 2) +
                    number(static_cast<unsigned>(authorities.size()), 2) + "\0\0"s;
  out += "\1n\4test\0"s + number(type, 2) + number(1, 2);
  for (const std::string& one : answers) out += one;
  for (const std::string& one : authorities) out += one;
  return out;
}

// "192.0.2.1 60", "found"'s addresses and TTL, or the outcome in words and the TTL, "-" where none.
std::string read(int status, const std::string& bytes, Family family = Family::ipv4) {
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  const DnsAnswer answer = read_answer(status, {data, bytes.size()}, family);
  const std::string what = answer.outcome == DnsOutcome::found ? text(answer.addresses)
                                                               : std::string(words(answer.outcome));
  const std::string may_pass = is_transient(answer.outcome) ? "; that may pass" : "";
  return what + may_pass + ' ' + (answer.ttl ? std::to_string(answer.ttl->count()) : "-");
}

TEST(DnsAnswer, IsHeldForTheLeastTtlOfAddressesAndAliases) {
  const std::string alias = record(owner, 5, 20, other_owner);
  EXPECT_EQ(read(ARES_SUCCESS, message({a(60)})), "192.0.2.1 60");
  EXPECT_EQ(read(ARES_SUCCESS, message({a(60), a(30)})), "192.0.2.1 192.0.2.1 30");
  EXPECT_EQ(read(ARES_SUCCESS, message({alias, a(60, other_owner)})), "192.0.2.1 20");
  EXPECT_EQ(read(ARES_SUCCESS, message({alias, a(10, other_owner)})), "192.0.2.1 10");
  EXPECT_EQ(read(ARES_SUCCESS, message({a(0x80000000U)})), "192.0.2.1 0");
  const std::string six = record(owner, 28, 7, "\x20\x01\x0d\xb8"s + std::string(12, '\0'));
  EXPECT_EQ(read(ARES_SUCCESS, message({six}, {}, 28), Family::ipv6), "2001:db8:: 7");
}

TEST(DnsAnswer, TakesNoAddressOfAnotherName) {
  EXPECT_EQ(read(ARES_SUCCESS, message({a(60, other_owner)})), "the name has no address -");
}

// One that is left out would not be judged.
TEST(DnsAnswer, HasAllItsAddressesOrNone) {
  const std::string six = record(owner, 28, 60, "\x20\x01\x0d\xb8"s + std::string(12, '\0'));
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const bool is_ipv4 = family == Family::ipv4;
    std::vector<std::string> answers(256, is_ipv4 ? a(60) : six);
    const unsigned type = is_ipv4 ? 1 : 28;
    const std::string most = read(ARES_SUCCESS, message(answers, {}, type), family);
    EXPECT_EQ(std::count(most.begin(), most.end(), ' '), 256);
    answers.push_back(answers.front());
    EXPECT_EQ(read(ARES_SUCCESS, message(answers, {}, type), family),
              "the name has more than 256 addresses of one kind 60");
  }
}

TEST(DnsAnswer, ThatThereIsNoneIsHeldAsTheZoneSays) {
  const std::string alias = record(owner, 5, 20, other_owner);
  EXPECT_EQ(read(ARES_ENOTFOUND, message({}, {soa(300, 60)})), "no such name (NXDOMAIN) 60");
  EXPECT_EQ(read(ARES_ENOTFOUND, message({}, {soa(30, 60)})), "no such name (NXDOMAIN) 30");
  EXPECT_EQ(read(ARES_ENODATA, message({}, {soa(300, 60)})), "the name has no address 60");
  EXPECT_EQ(read(ARES_ENOTFOUND, message({alias}, {soa(300, 60)})), "no such name (NXDOMAIN) 20");
  EXPECT_EQ(read(ARES_SUCCESS, message({alias}, {soa(300, 60)})), "the name has no address 20");
  EXPECT_EQ(read(ARES_ENOTFOUND, message({}, {a(5), soa(300, 60)})), "no such name (NXDOMAIN) 60");
  EXPECT_EQ(read(ARES_ENOTFOUND, message({soa(300, 60)})), "no such name (NXDOMAIN) -");
  EXPECT_EQ(read(ARES_ENOTFOUND, message({})), "no such name (NXDOMAIN) -");
  EXPECT_EQ(read(ARES_ENOTFOUND, ""), "no such name (NXDOMAIN) -");
}

TEST(DnsAnswer, CutAnywhereSaysNothing) {
  const std::string whole = message({}, {soa(300, 60)});
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes)
    EXPECT_EQ(read(ARES_ENOTFOUND, whole.substr(0, bytes)), "no such name (NXDOMAIN) -") << bytes;
  const std::string found = message({a(60)});
  for (std::size_t bytes = 0; bytes < found.size(); ++bytes)
    EXPECT_EQ(read(ARES_SUCCESS, found.substr(0, bytes)).substr(0, 9), "the name ") << bytes;
}

TEST(DnsAnswer, NamesEveryKindOfFailure) {
  EXPECT_EQ(read(ARES_ETIMEOUT, ""), "the name servers did not answer in time; that may pass -");
  EXPECT_EQ(read(ARES_ECONNREFUSED, ""),
            "the name servers failed, refused or cannot be reached; that may pass -");
  EXPECT_EQ(read(ARES_EBADNAME, ""), "not a name that can be looked up -");
  EXPECT_EQ(read(ARES_EFORMERR, ""), "the name servers' answer makes no sense; that may pass -");
  EXPECT_EQ(read(ARES_ECANCELLED, ""), "the lookup was broken off; that may pass -");
}

TEST(DnsAnswer, OfTwoQuestionsIsWhatBothSupport) {
  const DnsAnswer found{DnsOutcome::found, addresses("192.0.2.1"), seconds(60)};
  const DnsAnswer none{DnsOutcome::no_address, {}, seconds(30)};
  const DnsAnswer no_name{DnsOutcome::no_such_name, {}, std::nullopt};
  const DnsAnswer sooner{DnsOutcome::found, addresses("192.0.2.2"), seconds(10)};
  const DnsAnswer too_many{DnsOutcome::too_many_addresses, {}, std::nullopt};
  const DnsAnswer late{DnsOutcome::timed_out, {}, std::nullopt};
  struct Case {
    DnsAnswer one, other;
    DnsOutcome outcome;
    std::optional<seconds> ttl;
  };
  const Case cases[] = {
      {found, none, DnsOutcome::found, seconds(60)},
      {found, sooner, DnsOutcome::found, seconds(10)},
      {found, too_many, DnsOutcome::too_many_addresses, seconds(60)},
      {found, late, DnsOutcome::found, seconds(60)},
      {found, found, DnsOutcome::found, seconds(60)},
      {none, late, DnsOutcome::timed_out, seconds(30)},
      {none, no_name, DnsOutcome::no_address, seconds(30)},
      {no_name, no_name, DnsOutcome::no_such_name, std::nullopt},
  };
  for (const Case& c : cases) {
    for (const DnsAnswer& both : {merge(c.one, c.other), merge(c.other, c.one)}) {
      EXPECT_EQ(both.outcome, c.outcome);
      EXPECT_EQ(both.ttl, c.ttl);
      EXPECT_EQ(both.addresses.empty(), c.outcome != DnsOutcome::found);
    }
  }
}

TEST(DnsAnswer, IsKeptWithinBounds) {
  const auto kept = [](DnsOutcome outcome, std::optional<seconds> ttl) {
    return kept_for({outcome, {}, ttl}).count();
  };
  EXPECT_EQ(kept(DnsOutcome::found, seconds(0)), 1);
  EXPECT_EQ(kept(DnsOutcome::found, seconds(90)), 90);
  EXPECT_EQ(kept(DnsOutcome::found, seconds(1'000'000)), 3600);
  EXPECT_EQ(kept(DnsOutcome::no_such_name, seconds(90)), 90);
  EXPECT_EQ(kept(DnsOutcome::no_address, seconds(1'000'000)), 300);
  EXPECT_EQ(kept(DnsOutcome::no_such_name, std::nullopt), 1);
  EXPECT_EQ(kept(DnsOutcome::timed_out, seconds(90)), 1);
  EXPECT_EQ(kept(DnsOutcome::servers_failed, std::nullopt), 1);
}

TEST(NameCache, ForgetsByTimeAndByUse) {
  NameCache cache(2);
  const TimePoint now = Clock::now();
  cache.remember("a", addresses("192.0.2.1"), now + seconds(2));
  cache.remember("b", config::Error(config::ErrorCode::dns_failed, "b"), now + seconds(1));
  ASSERT_NE(cache.find("a", now), nullptr);
  EXPECT_EQ(text(**cache.find("a", now)), "192.0.2.1");
  EXPECT_EQ(cache.find("b", now)->error().detail, "b");
  EXPECT_EQ(cache.find("c", now), nullptr);

  EXPECT_EQ(cache.find("b", now + seconds(1)), nullptr);
  cache.remember("b", addresses("192.0.2.2"), now + seconds(9));
  ASSERT_NE(cache.find("a", now), nullptr);
  cache.remember("c", addresses("192.0.2.3"), now + seconds(9));
  EXPECT_EQ(cache.find("b", now), nullptr) << "used longest ago";
  ASSERT_NE(cache.find("a", now), nullptr);
  ASSERT_NE(cache.find("c", now), nullptr);

  cache.remember("a", addresses("192.0.2.4"), now + seconds(9));
  EXPECT_EQ(text(**cache.find("a", now + seconds(5))), "192.0.2.4");
  EXPECT_NE(cache.find("c", now), nullptr) << "replacing one evicts none";
}

TEST(NameCache, CountsNamesWithManyAddressesMoreThanOnce) {
  NameCache cache(4);
  const TimePoint now = Clock::now();
  const TimePoint later = now + seconds(9);
  const std::vector<Address> many(300, make_ipv4(0xc0000201));
  cache.remember("a", addresses("192.0.2.1"), later);
  cache.remember("b", addresses("192.0.2.1"), later);
  cache.remember("c", many, later);
  EXPECT_EQ(cache.find("a", now), nullptr);
  EXPECT_NE(cache.find("b", now), nullptr);
  EXPECT_NE(cache.find("c", now), nullptr);
  cache.remember("c", addresses("192.0.2.1"), later);
  cache.remember("d", addresses("192.0.2.1"), later);
  cache.remember("e", addresses("192.0.2.1"), later);
  for (const char* name : {"b", "c", "d", "e"}) EXPECT_NE(cache.find(name, now), nullptr) << name;
}

}  // namespace
}  // namespace fetchmill::server::fetch
