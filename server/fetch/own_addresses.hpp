// This host's own addresses as they change while the server runs.
//
// The interfaces are read again at most every 10 s, before dialling: two questions to the kernel,
// some tens of microseconds. What appeared in between is caught when it is connected to: the two
// ends of a connection to oneself are the same address (AddressPolicy::judge_connected).
//
// Owner: the Fetcher. Process: loop.
#pragma once

#include "server/fetch/address_policy.hpp"
#include "server/loop.hpp"

#include <utility>

namespace fetchmill::server::fetch {

class OwnAddresses {
 public:
  // True when the policy changed by it.
  bool refresh(AddressPolicy& policy, TimePoint now) {
    constexpr std::chrono::seconds believed{10};
    if (read_at_ != TimePoint::min() && now - read_at_ <= believed) return false;
    read_at_ = now;
    std::vector<Address> found = own_addresses();
    if (found.empty() || found == policy.own) return false;
    policy.own = std::move(found);
    return true;
  }

 private:
  TimePoint read_at_ = TimePoint::min();
};

}  // namespace fetchmill::server::fetch
