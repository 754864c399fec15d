#include "workers/ops/text_input.hpp"

#include "config/utf8.hpp"
#include "workers/ops/charset.hpp"

#include <simdjson.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// A buffer that one large body grew is given back at the next one.
constexpr std::size_t text_kept_bytes_max = 4 * 1024 * 1024;

std::size_t first_not_utf8(std::string_view text) {
  std::size_t at = 0;
  while (const std::size_t length = config::utf8_sequence(text.substr(at))) at += length;
  return at;
}

}  // namespace

std::string charset_fault(std::string_view label) {
  if (find_charset(label) != nullptr) return {};
  return "is no label of an encoding; the WHATWG Encoding Standard lists them";
}

TextInput::TextInput(const Params& given) {
  if (const ParamValue* label = given.find(charset_param.name))
    label_ = std::get<std::string>(*label);
}

Result<std::string_view> TextInput::read(const Input& input) {
  return decoded(input, false);
}

Result<std::string_view> TextInput::read_leniently(const Input& input) {
  return decoded(input, true);
}

Result<std::string_view> TextInput::decoded(const Input& input, bool lenient) {
  const ByteOrderMark mark = byte_order_mark(input.bytes);
  const Charset* charset = label_.empty() ? mark.charset : find_charset(label_);
  if (charset == nullptr) charset = find_charset(charset_parameter(input.media_type));
  if (charset == nullptr) charset = &utf8_charset();
  const std::string_view bytes = input.bytes.substr(mark.charset == charset ? mark.size : 0);

  if (charset == &utf8_charset()) {
    if (simdjson::validate_utf8(bytes.data(), bytes.size())) return bytes;
    if (!lenient)
      return Error(ErrorCode::processing_failed,
                   "byte " +
                       std::to_string(input.bytes.size() - bytes.size() + first_not_utf8(bytes)) +
                       " is not UTF-8; if the body is in another encoding, name it with `charset`");
  }
  if (text_.capacity() > text_kept_bytes_max) text_ = std::string();
  text_.clear();
  if (auto done = decode_to_utf8(*charset, bytes, text_); !done) return done.error();
  return std::string_view(text_);
}

}  // namespace fetchmill::workers::ops
