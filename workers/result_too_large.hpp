// What is said of a result that is larger than its task allows, by the worker that made it and by
// the loop where a body goes through as it is.
#pragma once

#include "config/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fetchmill::workers {

// `how` it has so many bytes, where not as it is: " as a JSON string".
inline config::Error result_too_large(std::uint64_t bytes, std::uint64_t bytes_max,
                                      std::string_view how = {}) {
  config::Error error(config::ErrorCode::result_too_large,
                      "the result has " + std::to_string(bytes) + " bytes" + std::string(how) +
                          ", allowed are " + std::to_string(bytes_max));
  error.stage = "process";
  return error;
}

}  // namespace fetchmill::workers
