#include "config/json_string.hpp"

#include "config/utf8.hpp"

namespace fetchmill::config {
namespace {

void append_escape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
      out += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size()) {
      const char c = text[plain];
      if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') break;
      const std::size_t length = utf8_sequence(text.substr(plain));
      if (length == 0) break;
      plain += length;
    }
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (static_cast<unsigned char>(text.front()) >= 0x80)
      out += "\xef\xbf\xbd";
    else
      append_escape(out, text.front());
    text.remove_prefix(1);
  }
  out += '"';
}

}  // namespace fetchmill::config
