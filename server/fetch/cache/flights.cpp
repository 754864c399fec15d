#include "server/fetch/cache/flights.hpp"

namespace fetchmill::server::fetch::cache {

void Flights::wake(Follow& follow, Landing landing) {
  follow.landing_ = landing;
  landed_.push_back(follow);
  turns_.defer(*this);
}

void Flights::land(Node& flight, bool stored) {
  IntrusiveList<Follow>& followers = flight.second.followers;
  while (!followers.empty()) wake(followers.front(), stored ? Landing::look : Landing::go);
  flights_.erase(flights_.find(flight.first));
}

void Flights::pass_on(Node& flight) {
  IntrusiveList<Follow>& followers = flight.second.followers;
  flight.second.shares = false;
  if (followers.empty())
    flights_.erase(flights_.find(flight.first));
  else
    wake(followers.front(), Landing::lead);
}

void Flights::run() {
  // Each looks into the store or asks the upstream, and may land others.
  for (std::size_t i = 0; i < followers_per_turn && !landed_.empty(); ++i) {
    Follow& next = landed_.front();
    next.unlink();
    next.complete();
  }
  if (!landed_.empty()) turns_.defer(*this);
}

}  // namespace fetchmill::server::fetch::cache
