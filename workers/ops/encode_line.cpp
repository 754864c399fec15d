#include "workers/json/json_write.hpp"
#include "workers/ops/media_type.hpp"
#include "workers/ops/pipeline.hpp"

namespace fetchmill::workers::ops {
namespace {

// A buffer that one large result grew is given back by the next smaller one.
constexpr std::size_t line_kept_bytes_max = 4 * 1024 * 1024;

}  // namespace

LineValue Runner::encode_for_line(const RunResult& result) {
  const std::string_view bytes = result.bytes;
  if (line_.capacity() > line_kept_bytes_max) line_ = std::string();
  const bool unknown = result.media_type.empty();
  const bool json = unknown || is_json_media_type(result.media_type);
  if (json && validator_.is_valid(bytes)) {
    // Never shrunk, so that its zero-filling is paid once.
    if (line_.size() < bytes.size() + input_padding_bytes)
      line_.resize(bytes.size() + input_padding_bytes);
    std::size_t minified_bytes = 0;
    if (!simdjson::minify(bytes.data(), bytes.size(), line_.data(), minified_bytes))
      return {LineKind::json, std::string_view(line_).substr(0, minified_bytes)};
  }
  line_.clear();
  const bool textual = json || is_textual_media_type(result.media_type);
  if (textual && simdjson::validate_utf8(bytes.data(), bytes.size())) {
    json::append_json_string(line_, bytes);
    return {LineKind::text, line_};
  }
  line_ += '"';
  json::append_base64(line_, bytes);
  line_ += '"';
  return {LineKind::base64, line_};
}

}  // namespace fetchmill::workers::ops
