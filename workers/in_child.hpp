// Something looked into by a process of its own, which ends with it: libraries that must not be
// started in this one, because what they leave behind would cross the fork of the spawner.
//
// Process: the loop's, before any thread or other child. Errors: those found; one in words if the
// process itself failed. Trust: what is looked into is the operator's.
#pragma once

#include "config/error.hpp"

#include <functional>
#include <string>
#include <vector>

namespace fetchmill::workers {

// What `find` finds: `field` and `detail` of each error come back. `field`: that of an error that
// says that the process failed.
std::vector<config::Error> found_in_child(const std::string& field,
                                          const std::function<std::vector<config::Error>()>& find);

}  // namespace fetchmill::workers
