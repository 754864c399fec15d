// Which task is next: first those that lost their worker, then interactive ones, then the items of
// batches; batches share the workers' time fairly. Inquiries (Task::Purpose) wait apart from them:
// they are for new workers only, and hold up nobody.
//
// Interactive tasks (those without a Flow) have a head start of batch_head_start over batch items,
// not absolute priority: an item that has waited that much longer than any interactive task goes
// first, so a steady stream of requests cannot starve a batch. Among batches the one that has used
// least worker time is next (start-time fair queueing, Goyal, Vin and Cheng 1996): a batch of heavy
// items and one of light items get the same share. A batch that starts later starts where the
// others are, with no claim on what they used before it came.
//
// Owner: the Pool. Process: loop. Errors: none.
#pragma once

#include "workers/task.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

namespace fetchmill::workers {

inline constexpr std::chrono::milliseconds batch_head_start{1000};

class RunQueue {
 public:
  RunQueue() = default;
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;
  ~RunQueue() { clear(); }

  void push(Task& task) {
    ++size_;
    task.returned = false;
    if (task.limits.flow == nullptr) return interactive_.push_back(task);
    push_item(task, *task.limits.flow);
  }
  // One that lost its worker: before all others. Call with the youngest first to keep their order.
  void push_returned(Task& task);
  void push_inquiry(Task& task);
  void erase(Task& task) {
    --size_;
    list_of(task).erase(Tasks::s_iterator_to(task));
    if (task.limits.flow != nullptr) leave_if_empty(task, *task.limits.flow);
  }
  // What next() said.
  void pop(Task& task) {
    --size_;
    if (task.limits.flow != nullptr) return pop_item(*task.limits.flow);
    interactive_.pop_front();
  }
  // One of its tasks goes to a worker without having been here: as if it were pushed, next and
  // popped. Requires: empty().
  void pass(Flow& flow) { flow.used_ = virtual_time_ = std::max(flow.used_, virtual_time_); }
  void clear();

  // The next of those that did not lose a worker; null when there is none.
  Task* next() {
    if (!flows_.empty()) return next_of_all();
    return interactive_.empty() ? nullptr : static_cast<Task*>(&interactive_.front());
  }
  // Calls visit(task) for each that lost its worker, the first first. It may erase that task.
  template <class Visit>
  void for_each_returned(Visit visit) {
    visit_all(returned_, visit);
  }
  template <class Visit>
  void for_each_inquiry(Visit visit) {
    visit_all(inquiries_, visit);
  }
  // For every task. `visit` may erase the one it is given.
  template <class Visit>
  void for_each(Visit visit) {
    visit_all(inquiries_, visit);
    visit_all(returned_, visit);
    visit_all(interactive_, visit);
    for (auto place = flows_.begin(); place != flows_.end();) visit_all((place++)->queued_, visit);
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Its tasks take that much worker time; negative: less than was charged before.
  void charge(Flow& flow, std::chrono::nanoseconds time);

 private:
  using Tasks = Flow::Queue;
  struct LessUsed {
    bool operator()(const Flow& a, const Flow& b) const { return a.used_ < b.used_; }
  };
  using Flows = boost::intrusive::multiset<Flow, boost::intrusive::compare<LessUsed>>;

  template <class Visit>
  static void visit_all(Tasks& tasks, Visit visit) {
    for (auto place = tasks.begin(); place != tasks.end();) visit(static_cast<Task&>(*place++));
  }

  Tasks& list_of(Task& task) {
    if (task.purpose != Task::Purpose::run) return inquiries_;
    if (task.returned) return returned_;
    return task.limits.flow == nullptr ? interactive_ : task.limits.flow->queued_;
  }
  void push_item(Task& task, Flow& flow);
  void pop_item(Flow& flow);
  void leave_if_empty(const Task& task, Flow& flow);
  Task* next_of_all();

  Tasks inquiries_;
  Tasks returned_;
  Tasks interactive_;
  Flows flows_;  // those with queued tasks, by the time they used
  // The least used among the flows at the last choice: where a new one starts.
  std::chrono::nanoseconds virtual_time_{0};
  std::size_t size_ = 0;
};

}  // namespace fetchmill::workers
