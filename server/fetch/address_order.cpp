#include "server/fetch/address_order.hpp"

#include <algorithm>

namespace fetchmill::server::fetch {
namespace {

std::vector<Address> of_family(const std::vector<Address>& addresses, Family family) {
  std::vector<Address> some;
  for (const Address& address : addresses)
    if (address.family == family && std::find(some.begin(), some.end(), address) == some.end())
      some.push_back(address);
  return some;
}

}  // namespace

std::vector<Address> dial_order(const std::vector<Address>& addresses, bool has_ipv6_route) {
  const std::vector<Address> ipv4 = of_family(addresses, Family::ipv4);
  const std::vector<Address> ipv6 = of_family(addresses, Family::ipv6);
  std::vector<Address> order;
  if (!has_ipv6_route) {
    order = ipv4;
    order.insert(order.end(), ipv6.begin(), ipv6.end());
    return order;
  }
  for (std::size_t i = 0; i < std::max(ipv4.size(), ipv6.size()); ++i) {
    if (i < ipv6.size()) order.push_back(ipv6[i]);
    if (i < ipv4.size()) order.push_back(ipv4[i]);
  }
  return order;
}

}  // namespace fetchmill::server::fetch
