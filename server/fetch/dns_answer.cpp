#include "server/fetch/dns_answer.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <ares.h>
#include <arpa/inet.h>

namespace fetchmill::server::fetch {
namespace {

using std::chrono::seconds;

// A moment also for TTL 0, so that a crowd of fetches does not become a crowd of questions.
constexpr seconds kept_min{1};
constexpr seconds found_kept_max = std::chrono::hours(1);
constexpr seconds none_kept_max = std::chrono::minutes(5);
// One more than are of use tells that there are more.
constexpr int addresses_read = addresses_of_one_kind_max + 1;

constexpr unsigned type_cname = 5;
constexpr unsigned type_soa = 6;

DnsOutcome outcome_of(int status) {
  switch (status) {
    case ARES_SUCCESS:
      return DnsOutcome::found;
    case ARES_ENOTFOUND:
      return DnsOutcome::no_such_name;
    case ARES_ENODATA:
      return DnsOutcome::no_address;
    case ARES_EBADNAME:
      return DnsOutcome::bad_name;
    case ARES_ETIMEOUT:
      return DnsOutcome::timed_out;
    // Also what c-ares says when every server answered with SERVFAIL, NOTIMP or REFUSED.
    case ARES_ECONNREFUSED:
      return DnsOutcome::servers_failed;
    case ARES_EFORMERR:
    case ARES_EBADRESP:
      return DnsOutcome::bad_answer;
    default:
      return DnsOutcome::broken_off;
  }
}

// A message read from front to end (RFC 1035 4.1). Reading past its end gives nothing, ever after.
class Reader {
 public:
  explicit Reader(std::span<const unsigned char> message) : rest_(message) {}

  bool intact() const { return intact_; }
  void skip(std::size_t bytes) {
    intact_ = intact_ && bytes <= rest_.size();
    rest_ = intact_ ? rest_.subspan(bytes) : rest_.subspan(0, 0);
  }
  void skip_name() {
    while (!rest_.empty()) {
      const unsigned length = rest_[0];
      if (length >= 0xc0) return skip(2);
      skip(1 + length);
      if (length == 0) return;
    }
    intact_ = false;
  }
  std::uint32_t number(std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes && i < rest_.size(); ++i) value = value << 8 | rest_[i];
    skip(bytes);
    return value;
  }
  seconds ttl() {
    const std::uint32_t value = number(4);
    return seconds(value > 0x7fffffff ? 0 : value);  // RFC 2181 8
  }

 private:
  std::span<const unsigned char> rest_;
  bool intact_ = true;
};

// The TTL of "there is none": the lesser of the SOA record's own and its last field (RFC 2308 5),
// and of the aliases that led there.
std::optional<seconds> ttl_of_none(std::span<const unsigned char> message) {
  Reader reader(message);
  reader.skip(4);
  const std::uint32_t questions = reader.number(2);
  const std::uint32_t answers = reader.number(2);
  const std::uint32_t authorities = reader.number(2);
  reader.skip(2);
  for (std::uint32_t i = 0; i < questions && reader.intact(); ++i) {
    reader.skip_name();
    reader.skip(4);
  }
  seconds ttl = seconds::max();
  bool has_soa = false;
  for (std::uint32_t i = 0; i < answers + authorities && reader.intact(); ++i) {
    reader.skip_name();
    const std::uint32_t type = reader.number(2);
    reader.skip(2);
    const seconds own = reader.ttl();
    const std::size_t bytes = reader.number(2);
    const bool is_soa = i >= answers && type == type_soa && bytes >= 4;
    if (is_soa || (i < answers && type == type_cname)) ttl = std::min(ttl, own);
    if (!is_soa) {
      reader.skip(bytes);
      continue;
    }
    reader.skip(bytes - 4);
    ttl = std::min(ttl, reader.ttl());
    has_soa = true;
  }
  if (!has_soa || !reader.intact()) return std::nullopt;
  return ttl;
}

// c-ares has each TTL already lowered to those of the aliases.
int parse_addresses(std::span<const unsigned char> message, Family family, DnsAnswer& answer) {
  int count = addresses_read;
  int status = ARES_SUCCESS;
  const int bytes = static_cast<int>(message.size());
  const auto add = [&](const Address& address, int ttl) {
    answer.addresses.push_back(address);
    answer.ttl = std::min(answer.ttl.value_or(seconds::max()), seconds(std::max(ttl, 0)));
  };
  if (family == Family::ipv4) {
    std::array<ares_addrttl, addresses_read> found{};
    status = ares_parse_a_reply(message.data(), bytes, nullptr, found.data(), &count);
    for (int i = 0; status == ARES_SUCCESS && i < count; ++i)
      add(make_ipv4(ntohl(found[static_cast<std::size_t>(i)].ipaddr.s_addr)),
          found[static_cast<std::size_t>(i)].ttl);
    return status;
  }
  std::array<ares_addr6ttl, addresses_read> found{};
  status = ares_parse_aaaa_reply(message.data(), bytes, nullptr, found.data(), &count);
  for (int i = 0; status == ARES_SUCCESS && i < count; ++i) {
    std::array<std::uint8_t, 16> address{};
    std::memcpy(address.data(), &found[static_cast<std::size_t>(i)].ip6addr, address.size());
    add(make_ipv6(address), found[static_cast<std::size_t>(i)].ttl);
  }
  return status;
}

}  // namespace

std::string_view words(DnsOutcome outcome) {
  switch (outcome) {
    case DnsOutcome::no_such_name:
      return "no such name (NXDOMAIN)";
    case DnsOutcome::no_address:
      return "the name has no address";
    case DnsOutcome::bad_name:
      return "not a name that can be looked up";
    case DnsOutcome::timed_out:
      return "the name servers did not answer in time";
    case DnsOutcome::servers_failed:
      return "the name servers failed, refused or cannot be reached";
    case DnsOutcome::bad_answer:
      return "the name servers' answer makes no sense";
    case DnsOutcome::broken_off:
      return "the lookup was broken off";
    case DnsOutcome::too_many_addresses:
      return "the name has more than 256 addresses of one kind";
    case DnsOutcome::found:
      break;
  }
  return "found";
}

bool is_transient(DnsOutcome outcome) {
  return outcome == DnsOutcome::timed_out || outcome == DnsOutcome::servers_failed ||
         outcome == DnsOutcome::bad_answer || outcome == DnsOutcome::broken_off;
}

DnsAnswer read_answer(int status, std::span<const unsigned char> message, Family family) {
  DnsAnswer answer;
  if (status == ARES_SUCCESS) {
    status = parse_addresses(message, family, answer);
    if (status == ARES_SUCCESS && answer.addresses.empty()) status = ARES_ENODATA;
  }
  answer.outcome = outcome_of(status);
  if (answer.addresses.size() == addresses_read) {
    answer.outcome = DnsOutcome::too_many_addresses;
    answer.addresses.clear();
  }
  if (status == ARES_ENODATA || status == ARES_ENOTFOUND) answer.ttl = ttl_of_none(message);
  return answer;
}

DnsAnswer merge(DnsAnswer one, const DnsAnswer& other) {
  const bool only_one_found = one.addresses.empty() != other.addresses.empty();
  if (only_one_found)
    one.ttl = one.addresses.empty() ? other.ttl : one.ttl;
  else if (!one.ttl || (other.ttl && *other.ttl < *one.ttl))
    one.ttl = other.ttl;
  one.outcome = std::max(one.outcome, other.outcome);
  one.addresses.insert(one.addresses.end(), other.addresses.begin(), other.addresses.end());
  if (one.outcome != DnsOutcome::found) one.addresses.clear();
  return one;
}

seconds kept_for(const DnsAnswer& answer) {
  switch (answer.outcome) {
    case DnsOutcome::found:
      return std::clamp(answer.ttl.value_or(kept_min), kept_min, found_kept_max);
    case DnsOutcome::no_such_name:
    case DnsOutcome::no_address:
      return std::clamp(answer.ttl.value_or(kept_min), kept_min, none_kept_max);
    default:
      return kept_min;
  }
}

}  // namespace fetchmill::server::fetch
