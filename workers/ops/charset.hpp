// Character encodings by the WHATWG Encoding Standard's labels, decoded to UTF-8.
//
// The multi-byte and most single-byte tables are iconv's. Where those leave a byte of windows-1252
// undefined, the standard's C1 control is used; in other encodings it becomes U+FFFD.
// Process: worker. preload.cpp loads what iconv needs before a worker loses its files.
// Errors: none but result_too_large: bytes that mean nothing become U+FFFD.
// Trust: labels and bytes are untrusted.
#pragma once

#include "config/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace fetchmill::workers::ops {

enum class CharsetKind : std::uint8_t { utf8, windows_1252, iconv, user_defined, replacement };

struct Charset {
  std::string_view name;  // the standard's: "UTF-8", "windows-1252", "Shift_JIS"
  CharsetKind kind;
  const char* iconv_name;   // of kind iconv
  std::string_view labels;  // lower case, a space between them
};

// By one of its labels, whatever the letter case and the white space around it; null: no such
// label.
const Charset* find_charset(std::string_view label);
const Charset& utf8_charset();

// What a byte order mark at the start says, and how long it is.
struct ByteOrderMark {
  const Charset* charset = nullptr;  // null: there is none
  std::size_t size = 0;
};
ByteOrderMark byte_order_mark(std::string_view bytes);

// The charset parameter of a Content-Type, without quotes; empty: none.
std::string_view charset_parameter(std::string_view media_type);

// Decodes a stream that comes in pieces. What it makes of the bytes does not depend on where they
// are cut. A byte order mark is a character to it: callers skip it.
class CharsetDecoder {
 public:
  explicit CharsetDecoder(const Charset& charset);
  CharsetDecoder(CharsetDecoder&&) noexcept;
  CharsetDecoder& operator=(CharsetDecoder&&) noexcept;
  ~CharsetDecoder();

  // Appends to `out`, and refuses with result_too_large when that makes it longer than
  // step_output_bytes_max.
  config::Result<void> feed(std::string_view piece, std::string& out);
  // After the last piece: a character that was cut off becomes U+FFFD.
  config::Result<void> finish(std::string& out);

 private:
  class Machine;
  class Utf8Machine;
  class ByteMachine;
  class ReplacementMachine;
  class IconvMachine;
  std::unique_ptr<Machine> machine_;
};

// All of `bytes`, appended to `out`.
config::Result<void> decode_to_utf8(const Charset& charset, std::string_view bytes,
                                    std::string& out);

}  // namespace fetchmill::workers::ops
