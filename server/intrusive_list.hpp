// A doubly linked list of objects that carry their own links: no allocation, O(1) removal from
// within.
//
// Lifetime: an element leaves its list when it is destroyed.
#pragma once

namespace fetchmill::server {

template <class T>
class IntrusiveList;

class ListHook {
 public:
  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { unlink(); }

  bool linked() const { return next_ != nullptr; }
  void unlink() {
    if (!next_) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T>
  friend class IntrusiveList;
  ListHook* next_ = nullptr;
  ListHook* previous_ = nullptr;
};

// T derives from ListHook.
template <class T>
class IntrusiveList {
 public:
  IntrusiveList() { root_.next_ = root_.previous_ = &root_; }
  ~IntrusiveList() {
    while (!empty()) front().unlink();
    root_.next_ = root_.previous_ = nullptr;
  }

  [[nodiscard]] bool empty() const { return root_.next_ == &root_; }
  // The analyzer does not see that the hook's destructor unlinks it.
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDelete)
  T& front() { return static_cast<T&>(*root_.next_); }

  // Calls visit(T&) for each. Requires: it changes no list.
  template <class Visit>
  void for_each(Visit visit) {
    for (ListHook* hook = root_.next_; hook != &root_; hook = hook->next_)
      visit(static_cast<T&>(*hook));
  }

  // An element that is in another list, or elsewhere in this one, moves.
  void push_back(T& element) {
    ListHook& hook = element;
    hook.unlink();
    hook.previous_ = root_.previous_;
    hook.next_ = &root_;
    root_.previous_->next_ = &hook;
    root_.previous_ = &hook;
  }

 private:
  ListHook root_;
};

}  // namespace fetchmill::server
