// What a name server's answer to one question says, and for how long: a pure reading of the
// message.
//
// Trust: the message is untrusted; c-ares takes the addresses out of it, and the time to live of
// "there is none", which c-ares does not tell, is read here.
#pragma once

#include "server/fetch/address.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch {

// Of an answer that is of use: all are judged before one is dialled.
inline constexpr int addresses_of_one_kind_max = 256;

// The later ones outweigh the earlier: where A is answered with "no address" and AAAA not at all,
// whether the name has an address is not known.
enum class DnsOutcome : std::uint8_t {
  no_such_name,  // NXDOMAIN
  no_address,    // NODATA
  bad_name,      // cannot be put into a question
  timed_out,
  servers_failed,  // SERVFAIL, REFUSED, or no name server can be reached
  bad_answer,
  broken_off,  // by this server itself
  found,
  too_many_addresses,  // to judge them all, of one kind
};

// Completes "NAME: …".
std::string_view words(DnsOutcome outcome);
// The name servers, not the name, are to blame: to ask again may help.
bool is_transient(DnsOutcome outcome);

struct DnsAnswer {
  DnsOutcome outcome = DnsOutcome::no_such_name;
  std::vector<Address> addresses;  // not empty exactly when found
  // The least of the addresses and of the aliases that led to them (CNAME); where there is none,
  // by RFC 2308: that there is none of one kind does not shorten what holds for the other. Empty:
  // not said.
  std::optional<std::chrono::seconds> ttl;
};

// Of a question for A or AAAA. `status` is what c-ares says of the whole.
DnsAnswer read_answer(int status, std::span<const unsigned char> message, Family family);

// Of two questions that together make one answer: both kinds of addresses, or the same name under
// several search domains.
DnsAnswer merge(DnsAnswer one, const DnsAnswer& other);

// How long an answer is used. Failures are kept too, for a moment (RFC 9520).
std::chrono::seconds kept_for(const DnsAnswer& answer);

}  // namespace fetchmill::server::fetch
