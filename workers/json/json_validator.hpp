// Says whether bytes are one JSON text (RFC 8259, nested at most json_depth_max deep), at
// simdjson's speed.
//
// Numbers of any size are valid here, as in the grammar: what simdjson refuses for its range is
// judged by JsonMachine. Process: worker. Lifetime: keep one and reuse it: its buffers stay
// allocated, except after unusually large texts. Bytes: `text` must be followed by SIMDJSON_PADDING
// readable bytes.
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
