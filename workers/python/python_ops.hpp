// The ops py.NAME: functions of the operator's own Python modules.
//
// CPython runs in three places. A process that ends at once imports the modules to describe them,
// so that the loop, which runs no Python, knows the ops before anything else begins. The spawner
// imports them once for all workers, which share the memory. Workers call them.
//
// Process: load_modules() in the loop's process before any thread or other child; what the ops do
// in the spawner and in workers. Trust: the modules are the operator's. While they are imported
// nothing confines them; when they run on a body they are in the worker's sandbox.
#pragma once

#include <string>
#include <vector>

namespace fetchmill::workers::python {

// Adds an op to the registry for each NAME.py in `directory`. Returns what is wrong with them, a
// text of one or more lines for each; then none is to be used. The second time it does nothing: the
// ops are those of the start.
std::vector<std::string> load_modules(const std::string& directory);

}  // namespace fetchmill::workers::python
