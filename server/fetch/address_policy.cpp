#include "server/fetch/address_policy.hpp"

#include "config/whole_number.hpp"

#include <algorithm>

#include <ifaddrs.h>

namespace fetchmill::server::fetch {
namespace {

struct SpecialNetwork {
  Network network;
  DenyReason reason;
};

struct Carrier {
  Network network;
  std::size_t byte;
  std::uint8_t flip;
};

// Most specific first, so that the first match decides.
std::vector<SpecialNetwork> build_special_networks() {
  std::vector<SpecialNetwork> rows{
#define NETWORK(text, reason, source) {parse_network(text).value(), DenyReason::reason},
#define CARRIER(text, byte, flip, source)
#define METADATA(text, source)
#include "server/fetch/special_networks.def"
#undef NETWORK
#undef CARRIER
#undef METADATA
  };
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a.network.prefix_bits > b.network.prefix_bits;
  });
  return rows;
}

const std::vector<SpecialNetwork>& special_networks() {
  static const std::vector<SpecialNetwork> rows = build_special_networks();
  return rows;
}

const std::vector<Carrier>& carriers() {
  static const std::vector<Carrier> rows{
#define NETWORK(text, reason, source)
#define CARRIER(text, byte, flip, source) {parse_network(text).value(), byte, flip},
#define METADATA(text, source)
#include "server/fetch/special_networks.def"
#undef NETWORK
#undef CARRIER
#undef METADATA
  };
  return rows;
}

const std::vector<Address>& metadata_addresses() {
  static const std::vector<Address> rows{
#define NETWORK(text, reason, source)
#define CARRIER(text, byte, flip, source)
#define METADATA(text, source) parse_address(text).value(),
#include "server/fetch/special_networks.def"
#undef NETWORK
#undef CARRIER
#undef METADATA
  };
  return rows;
}

bool contains(const std::vector<Address>& list, const Address& address) {
  return std::find(list.begin(), list.end(), address) != list.end();
}

bool contains(const std::vector<Network>& list, const Address& address) {
  return std::any_of(list.begin(), list.end(),
                     [&](const Network& network) { return network.contains(address); });
}

bool names(const std::vector<Network>& list, const Address& address) {
  return std::find(list.begin(), list.end(),
                   Network{address, static_cast<unsigned>(address.size_bytes() * 8)}) != list.end();
}

DenyReason special_reason(const Address& address) {
  for (const SpecialNetwork& row : special_networks())
    if (row.network.contains(address)) return row.reason;
  return DenyReason::reserved;
}

// "::" and "::1" lie in ::/96 but carry nothing (RFC 4291 2.5.5.1).
bool is_unspecified_or_loopback(const Address& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end() - 1,
                     [](std::uint8_t byte) { return byte == 0; }) &&
         address.bytes.back() <= 1;
}

// ISATAP (RFC 5214) may stand in any prefix: interface identifier 0000:5efe or 0200:5efe, then
// IPv4.
bool is_isatap(const Address& address) {
  const auto& b = address.bytes;
  return (b[8] == 0x00 || b[8] == 0x02) && b[9] == 0x00 && b[10] == 0x5e && b[11] == 0xfe;
}

// An address and every IPv4 address inside it.
struct Unwrapped {
  // Itself, at most two by the carriers' rows (Teredo), one by ISATAP.
  static constexpr std::size_t count_max = 4;

  std::array<Address, count_max> all;
  std::size_t count = 0;

  explicit Unwrapped(const Address& address) {
    push(address);
    if (address.is_ipv4() || is_unspecified_or_loopback(address)) return;
    for (const Carrier& row : carriers())
      if (row.network.contains(address)) push(carried(address, row.byte, row.flip));
    if (is_isatap(address)) push(carried(address, 12, 0));
  }

  [[nodiscard]] std::span<const Address> whole() const { return {all.data(), count}; }
  [[nodiscard]] std::span<const Address> inside() const { return whole().subspan(1); }

 private:
  void push(const Address& address) { all[count++] = address; }
  static Address carried(const Address& address, std::size_t byte, std::uint8_t flip) {
    Address out;
    for (std::size_t i = 0; i < 4; ++i)
      out.bytes[i] = static_cast<std::uint8_t>(address.bytes[byte + i] ^ flip);
    return out;
  }
};

constexpr std::array<std::string_view, 17> labels{
    "none",           "unspecified", "loopback", "private",       "link_local", "cgnat",
    "documentation",  "multicast",   "reserved", "embedded_ipv4", "metadata",   "own_address",
    "denied_network", "port",        "scheme",   "host",          "url"};
static_assert(labels.size() == static_cast<std::size_t>(DenyReason::url) + 1);

}  // namespace

std::string_view to_string(DenyReason reason) {
  return labels[static_cast<std::size_t>(reason)];
}

Verdict AddressPolicy::judge(const Address& address, std::uint16_t port) const {
  const Unwrapped unwrapped(unmapped(address));
  for (const Address& each : unwrapped.whole()) {
    if (contains(deny, each)) return {DenyReason::denied_network};
    if (contains(metadata_addresses(), each) && !names(allow, each)) return {DenyReason::metadata};
  }

  // What is carried first: "loopback" says more than the name of the wrapping.
  bool all_inside_listed = !unwrapped.inside().empty();
  for (const Address& each : unwrapped.inside()) {
    if (contains(allow, each)) continue;
    all_inside_listed = false;
    if (const DenyReason reason = special_reason(each); reason != DenyReason::none) return {reason};
    if (contains(own, each)) return {DenyReason::own_address};
  }
  const Address& itself = unwrapped.whole().front();
  const bool listed = contains(allow, itself);
  if (!listed) {
    if (const DenyReason reason = special_reason(itself); reason != DenyReason::none)
      return {reason};
    if (contains(own, itself)) return {DenyReason::own_address};
  }
  if (listed || all_inside_listed || is_listed_port(port)) return {};
  return {DenyReason::port};
}

Verdict AddressPolicy::judge_connected(const Address& peer, const Address& own_end,
                                       std::uint16_t port) const {
  const Verdict verdict = judge(peer, port);
  const Address plain = unmapped(peer);
  if (verdict.allowed() && plain == unmapped(own_end) && !contains(allow, plain))
    return {DenyReason::own_address};
  return verdict;
}

Verdict AddressPolicy::judge_all(std::span<const Address> addresses, std::uint16_t port) const {
  if (addresses.empty()) return {DenyReason::unspecified};
  for (const Address& each : addresses)
    if (const Verdict verdict = judge(each, port); !verdict.allowed()) return verdict;
  return {};
}

bool AddressPolicy::is_listed_port(std::uint16_t port) const {
  return std::find(default_ports.begin(), default_ports.end(), port) != default_ports.end() ||
         std::find(ports.begin(), ports.end(), port) != ports.end();
}

bool AddressPolicy::port_possible(std::uint16_t port) const {
  return is_listed_port(port) || !allow.empty();
}

config::Result<AddressPolicy> make_address_policy(std::span<const std::string> allow_networks,
                                                  std::span<const std::string> deny_networks,
                                                  std::span<const std::string> allow_ports,
                                                  std::vector<Address> own) {
  AddressPolicy policy;
  policy.own = std::move(own);
  std::string mistakes;
  const auto complain = [&mistakes](std::string_view setting, const std::string& what) {
    if (!mistakes.empty()) mistakes += "; ";
    mistakes.append(setting).append(": ").append(what);
  };
  const auto read_networks = [&](std::string_view setting, std::span<const std::string> from,
                                 std::vector<Network>& to) {
    for (const std::string& text : from) {
      const auto network = parse_network(text);
      if (network)
        to.push_back(*network);
      else
        complain(setting, network.error().detail);
    }
  };
  read_networks("fetch.allow_networks", allow_networks, policy.allow);
  read_networks("fetch.deny_networks", deny_networks, policy.deny);
  for (const std::string& text : allow_ports) {
    const auto port = config::parse_whole_number<std::uint16_t>(text);
    if (port && *port != 0)
      policy.ports.push_back(*port);
    else
      complain("fetch.allow_ports", '"' + text + "\" is not a port from 1 to 65535");
  }
  if (!mistakes.empty()) return config::Error(config::ErrorCode::invalid_request, mistakes);
  return policy;
}

std::vector<Address> own_addresses() {
  std::vector<Address> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    const auto address = from_sockaddr(each->ifa_addr);
    if (address && !contains(addresses, *address)) addresses.push_back(*address);
  }
  freeifaddrs(list);
  return addresses;
}

}  // namespace fetchmill::server::fetch
