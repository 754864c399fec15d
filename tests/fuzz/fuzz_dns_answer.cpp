// links: fetchmill_names
// Any bytes as a name server's answer: no fault, and an answer that holds together. The first byte
// chooses the kind of question and what c-ares says of the message.
#include "server/fetch/dns_answer.hpp"
#include "tests/support/fuzz_check.hpp"

#include <array>
#include <cstdint>

#include <ares.h>

using namespace fetchmill::server::fetch;
using fetchmill::support::check;

namespace {

void check_answer(const DnsAnswer& answer) {
  check(answer.addresses.empty() == (answer.outcome != DnsOutcome::found), "found, or why not");
  check(!answer.ttl || answer.ttl->count() >= 0, "no time before now");
  check(!answer.ttl || answer.ttl->count() <= 0x7fffffff, "no time out of range");
  check(kept_for(answer).count() >= 1 && kept_for(answer).count() <= 3600, "kept within bounds");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array statuses{ARES_SUCCESS, ARES_ENOTFOUND, ARES_ENODATA, ARES_ETIMEOUT};
  const int status = statuses[data[0] % statuses.size()];
  const Family family = data[0] & 0x80 ? Family::ipv6 : Family::ipv4;
  const DnsAnswer answer = read_answer(status, {data + 1, size - 1}, family);
  check_answer(answer);
  for (const Address& address : answer.addresses) check(address.family == family, "its own kind");
  check_answer(merge(answer, DnsAnswer{}));
  check_answer(merge(DnsAnswer{}, answer));
  return 0;
}
