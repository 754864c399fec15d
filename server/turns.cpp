#include "server/turns.hpp"

#include <boost/asio/post.hpp>

namespace fetchmill::server {

void Turns::enqueue(Next& sequence) {
  waiting_.push_back(sequence);
  if (posted_) return;
  posted_ = true;
  asio::post(io_, [this] { run(); });
}

// What queues up again from here waits for the next run.
void Turns::run() {
  posted_ = false;
  IntrusiveList<Next> due;
  while (!waiting_.empty()) due.push_back(waiting_.front());
  while (!due.empty()) {
    Next& sequence = due.front();
    sequence.unlink();
    sequence.complete();
  }
}

}  // namespace fetchmill::server
