// What is said of a result that is larger than its task allows, by the worker that made it and by
// the loop where a body goes through as it is.
#pragma once

#include "config/error.hpp"

#include <cstdint>
#include <string>

namespace fetchmill::workers {

inline config::Error result_too_large(std::uint64_t bytes, std::uint64_t bytes_max) {
  config::Error error(config::ErrorCode::result_too_large,
                      "the result has " + std::to_string(bytes) + " bytes, allowed are " +
                          std::to_string(bytes_max));
  error.stage = "process";
  return error;
}

}  // namespace fetchmill::workers
