#include "server/fetch/cache/copy_budget.hpp"

namespace fetchmill::server::fetch::cache {

void CopyBudget::run() {
  left_ = turn_bytes_max;
  // Who has more to copy is at the end again, and may still find room in this turn.
  while (!waiting_.empty() && waiting_.front().bytes_ <= left_) {
    Copy& next = waiting_.front();
    left_ -= next.bytes_;
    next.unlink();
    next.complete();
  }
  if (!waiting_.empty()) turns_.defer(*this);
}

}  // namespace fetchmill::server::fetch::cache
