// What a Content-Type says about how to read bytes. Pure; parameters and letter case are ignored.
#pragma once

#include <string_view>

namespace fetchmill::workers::ops {

// One JSON text: application/json, text/json, anything +json.
bool is_json_media_type(std::string_view media_type);
// One JSON text a line: application/x-ndjson and its other names.
bool is_ndjson_media_type(std::string_view media_type);
// text/tab-separated-values.
bool is_tsv_media_type(std::string_view media_type);
// Meant to be read as text: text/*, XML, YAML, scripts, forms, NDJSON. JSON is not counted.
bool is_textual_media_type(std::string_view media_type);

}  // namespace fetchmill::workers::ops
