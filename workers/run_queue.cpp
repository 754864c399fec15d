#include "workers/run_queue.hpp"

#include <algorithm>

namespace fetchmill::workers {

void RunQueue::push_item(Task& task, Flow& flow) {
  if (flow.queued_.empty()) {
    flow.used_ = std::max(flow.used_, virtual_time_);
    flows_.insert(flow);
  }
  flow.queued_.push_back(task);
}

void RunQueue::pop_item(Flow& flow) {
  flow.queued_.pop_front();
  if (flow.queued_.empty()) flows_.erase(Flows::s_iterator_to(flow));
}

void RunQueue::push_returned(Task& task) {
  ++size_;
  task.returned = true;
  returned_.push_front(task);
}

void RunQueue::push_inquiry(Task& task) {
  ++size_;
  inquiries_.push_back(task);
}

// After `task` left it.
void RunQueue::leave_if_empty(const Task& task, Flow& flow) {
  if (!task.returned && flow.queued_.empty()) flows_.erase(Flows::s_iterator_to(flow));
}

void RunQueue::clear() {
  for_each([this](Task& task) { erase(task); });
}

Task* RunQueue::next_of_all() {
  Flow& flow = *flows_.begin();
  virtual_time_ = std::max(virtual_time_, flow.used_);
  Task* item = static_cast<Task*>(&flow.queued_.front());
  if (interactive_.empty()) return item;
  Task* request = static_cast<Task*>(&interactive_.front());
  return item->submitted_at + batch_head_start < request->submitted_at ? item : request;
}

void RunQueue::charge(Flow& flow, std::chrono::nanoseconds time) {
  const bool active = !flow.queued_.empty();
  if (active) flows_.erase(Flows::s_iterator_to(flow));
  flow.used_ += time;
  if (active) flows_.insert(flow);
}

}  // namespace fetchmill::workers
