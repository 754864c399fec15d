// For builds without FETCHMILL_PYTHON_OPS.
#include "workers/python/python_ops.hpp"

namespace fetchmill::workers::python {

std::vector<std::string> load_modules(const std::string&) {
  return {"this build has no Python: it was made without FETCHMILL_PYTHON_OPS"};
}

}  // namespace fetchmill::workers::python
