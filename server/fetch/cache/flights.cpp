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
  // Whoever lands meanwhile is for the next turn.
  IntrusiveList<Follow> now;
  while (!landed_.empty()) now.push_back(landed_.front());
  while (!now.empty()) {
    Follow& next = now.front();
    next.unlink();
    next.complete();
  }
}

}  // namespace fetchmill::server::fetch::cache
