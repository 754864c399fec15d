#include "server/turns.hpp"

#include <boost/asio/post.hpp>

namespace fetchmill::server {

void Turns::enqueue(Next& sequence) {
  waiting_.push_back(sequence);
  if (posted_) return;
  posted_ = true;
  asio::post(io_, [this] { run(); });
}

void Turns::run() {
  posted_ = false;
  AutoUnlinkList<Next> due;
  due.swap(waiting_);
  while (!due.empty()) {
    Next& sequence = due.front();
    due.pop_front();
    sequence.complete();
  }
}

}  // namespace fetchmill::server
