// Whether the parts of a document stand where JSON has them: what On-Demand leaves open in all that
// it passes over.
//
// Process: worker.
// Trust: the document is untrusted.
// Cost: one pass over the tokens that simdjson's first stage has found already, not over the text.
#pragma once

#include <simdjson.h>

namespace fetchmill::workers::json {

// TAPE_ERROR unless brackets match in kind, at most json_depth_max deep, commas, colons and keys
// are where they must be, and nothing follows the root. What numbers, literals and strings hold is
// not looked at. Does not move the document.
simdjson::error_code check_structure(const simdjson::ondemand::document& document);

}  // namespace fetchmill::workers::json
