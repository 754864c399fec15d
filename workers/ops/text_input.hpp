// A body as UTF-8, for the ops that read text: by the parameter `charset`, else a byte order mark,
// else the charset of its Content-Type, else UTF-8.
//
// Process: worker. Lifetime: of the text: until the next call.
// Errors: processing_failed: not UTF-8 and nothing says what else; result_too_large.
#pragma once

#include "workers/ops/op.hpp"

#include <string>
#include <string_view>

namespace fetchmill::workers::ops {

// The label of an encoding, checked.
inline constexpr std::string_view charset_description =
    "The body's encoding, by a label of the WHATWG Encoding Standard (`utf-8`, `latin1`, "
    "`shift_jis`, …). Without it: a byte order mark, else the charset of the Content-Type, else "
    "UTF-8.";
std::string charset_fault(std::string_view label);
inline constexpr ParamSpec charset_param{
    .name = "charset", .fault = charset_fault, .description = charset_description};

class TextInput {
 public:
  explicit TextInput(const Params& given);

  // Without a byte order mark. Bytes that mean nothing are refused in UTF-8, so that no damage goes
  // unnoticed; in the other encodings they become U+FFFD.
  config::Result<std::string_view> read(const Input& input);
  // The same, but with U+FFFD in UTF-8 too.
  config::Result<std::string_view> read_leniently(const Input& input);

 private:
  config::Result<std::string_view> decoded(const Input& input, bool lenient);

  std::string label_;  // empty: not given
  std::string text_;
};

}  // namespace fetchmill::workers::ops
