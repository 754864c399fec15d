#include "workers/json/json_validator.hpp"

#include "workers/json/json_locate.hpp"
#include "workers/json/simdjson_buffers.hpp"

namespace fetchmill::workers::json {

bool JsonValidator::is_valid(std::string_view text) {
  const bool accepted =
      !parser_.parse(text.data(), text.size(), false).error() || !json_locate(text).has_value();
  release_if_large(parser_);
  return accepted;
}

}  // namespace fetchmill::workers::json
