// docs/ops.md and docs/image-ops.md, out of the table of ops. fetchmill_ops_docs writes them; a
// test fails when a committed file is out of step, another one runs what it shows.
#pragma once

#include <string>

namespace fetchmill::workers::ops {

// The ops that every build has.
std::string ops_markdown();
// Those of images; empty in a build without them.
std::string image_ops_markdown();

}  // namespace fetchmill::workers::ops
