// Descriptors put aside, for what must go on when the process has none left.
//
// Owner: whoever is to go on. Process: loop. Errors: none; a descriptor that cannot be put aside is
// missing until fill() gets it.
#pragma once

#include <cstddef>
#include <vector>

namespace fetchmill::server {

class DescriptorReserve {
 public:
  explicit DescriptorReserve(std::size_t count) { fill(count); }
  DescriptorReserve(const DescriptorReserve&) = delete;
  DescriptorReserve& operator=(const DescriptorReserve&) = delete;
  ~DescriptorReserve();

  // Frees one, for whoever opens a descriptor next.
  void lend();
  // Puts descriptors aside until there are `count`.
  void fill(std::size_t count);
  std::size_t size() const { return held_.size(); }

 private:
  std::vector<int> held_;
};

}  // namespace fetchmill::server
