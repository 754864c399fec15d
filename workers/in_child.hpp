// Things looked into by a process of their own, which ends with it: libraries that must not be
// started in this one, because what they leave behind would cross the fork of the spawner.
//
// Process: the loop's, before any thread or other child. Errors: those found; one in words if the
// process itself failed. Trust: what is looked into is the operator's.
#pragma once

#include "config/error.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace fetchmill::workers {

// What is wrong with a thing: `field` and `detail` of each error come back.
using FindErrors = std::function<std::vector<config::Error>(std::size_t at)>;

// What `find` finds in each of the things that `fields` stand for, in their order. Should it end
// the process, an error with the field of the thing it was at says so; what follows is not looked
// into. Requires: at least one field, and errors whose field is not "." alone.
std::vector<config::Error> found_in_child(const std::vector<std::string>& fields,
                                          const FindErrors& find);

}  // namespace fetchmill::workers
