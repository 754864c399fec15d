// Appends a JSON string, quotes included: the one escaping that every part of fetchmill uses.
//
// Bytes that are not UTF-8 become U+FFFD, so that the result is always valid JSON. Process: all.
#pragma once

#include <string>
#include <string_view>

namespace fetchmill::config {

void append_json_string(std::string& out, std::string_view text);

// Appends \u00XX, as it stands within a string.
void append_unicode_escape(std::string& out, unsigned char character);

}  // namespace fetchmill::config
