#include "server/turns.hpp"

#include <boost/asio/post.hpp>

namespace fetchmill::server {

void Turns::defer(Deferred& deferred) {
  if (deferred.linked()) return;
  due_.push_back(deferred);
  if (posted_) return;
  posted_ = true;
  asio::post(io_, [this] { run_all(); });
}

void Turns::run_all() {
  posted_ = false;
  // What is deferred from here on is for the turn after this one.
  IntrusiveList<Deferred> now;
  while (!due_.empty()) now.push_back(due_.front());
  while (!now.empty()) {
    Deferred& next = now.front();
    next.unlink();
    next.run();
  }
}

}  // namespace fetchmill::server
