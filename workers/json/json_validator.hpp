// Says whether bytes are one JSON text (RFC 8259, at most json_depth_max deep), at simdjson's
// speed.
//
// Numbers of any size and halves of surrogate pairs are valid here, as in the grammar: what
// simdjson refuses is judged by JsonMachine.
// Lifetime: keep one and reuse it: its buffers stay allocated, except after unusually large texts.
// Process: worker.
// Bytes: `text` must be followed by SIMDJSON_PADDING readable bytes.
#pragma once

#include <string_view>

#include <simdjson.h>

namespace fetchmill::workers::json {

class JsonValidator {
 public:
  bool is_valid(std::string_view text);

 private:
  simdjson::dom::parser parser_;
};

}  // namespace fetchmill::workers::json
