// Whether this host has a route to the IPv6 internet, asked of the kernel now and then.
#pragma once

#include "server/loop.hpp"

namespace fetchmill::server::fetch {

class Ipv6Route {
 public:
  bool exists(TimePoint now);

 private:
  TimePoint asked_ = TimePoint::min();
  bool exists_ = false;
};

}  // namespace fetchmill::server::fetch
