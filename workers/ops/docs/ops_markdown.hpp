// docs/ops.md, out of the table of ops. fetchmill_ops_docs writes it; a test fails when the
// committed file is out of step, another one runs what it shows.
#pragma once

#include <string>

namespace fetchmill::workers::ops {

std::string ops_markdown();

}  // namespace fetchmill::workers::ops
