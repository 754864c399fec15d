// The loop's check of what a worker wrote, before it becomes part of a larger document: valid
// UTF-8, no raw control byte (so it stays one line), exactly one JSON value.
//
// Process: loop.
// Trust: the bytes are a hostile worker's.
// Cost: linear, some 0.5 GB/s; the caller feeds at most 64 KB a turn, cut anywhere.
#pragma once

#include "workers/json/json_machine.hpp"

#include <array>
#include <cstddef>
#include <string_view>

namespace fetchmill::workers::json {

class JsonValueScan {
 public:
  // False as soon as the bytes so far cannot begin a good value; later calls then change nothing.
  bool feed(std::string_view piece);
  // True when what was fed is exactly one good value.
  bool finish();

 private:
  bool feed_utf8(std::string_view piece);

  JsonMachine machine_{JsonMachine::Whitespace::spaces_only};
  std::array<char, 4> partial_{};  // a character that the end of a piece cut
  std::size_t partial_bytes_ = 0;
  bool good_ = true;
};

}  // namespace fetchmill::workers::json
