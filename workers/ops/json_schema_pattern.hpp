// A schema's pattern, which is one of ECMA-262, as one of RE2.
//
// Process: worker. Trust: the pattern is untrusted; RE2 runs it in linear time and refuses what
// would take more than 1 MiB.
#pragma once

#include <memory>
#include <string_view>

namespace re2 {
class RE2;
}

namespace fetchmill::workers::ops {

// Its ok() and error() say whether RE2 takes it.
std::shared_ptr<const re2::RE2> compile_schema_pattern(std::string_view pattern);

}  // namespace fetchmill::workers::ops
