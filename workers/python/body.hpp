// A body as Python sees it: a read-only memoryview of the slot itself, for the time of one call.
//
// Owner: the call. Bytes: copies none. When the call is over the view is released: whoever kept it
// gets ValueError. What cannot be taken back, a slice or an array over the same memory that
// somebody still holds, is noticed.
#pragma once

#include "workers/python/interpreter.hpp"

#include <string_view>

namespace fetchmill::workers::python {

class Body {
 public:
  // Errors: std::bad_alloc.
  explicit Body(std::string_view bytes);
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;
  ~Body() { static_cast<void>(close()); }

  PyObject* view() const { return view_.get(); }
  // False: something else still sees the bytes. Requires: nothing of the caller's does.
  [[nodiscard]] bool close();

 private:
  Ref source_;
  Ref view_;
};

}  // namespace fetchmill::workers::python
