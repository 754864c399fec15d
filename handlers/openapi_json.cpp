#include "handlers/openapi_json.hpp"

#include "config/json_string.hpp"

namespace fetchmill::handlers::openapi {

std::string text(std::string_view value) {
  std::string out;
  config::append_json_string(out, value);
  return out;
}

std::string member(std::string_view name, std::string_view json) {
  return text(name).append(":").append(json);
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) out += separator;
    out += part;
  }
  return out;
}

std::string object(const std::vector<std::string>& members) {
  return "{" + join(members) + "}";
}

std::string array(const std::vector<std::string>& values) {
  return "[" + join(values) + "]";
}

std::string texts(const std::vector<std::string_view>& values) {
  std::vector<std::string> parts;
  parts.reserve(values.size());
  for (const std::string_view value : values) parts.push_back(text(value));
  return array(parts);
}

std::string reference(std::string_view kind, std::string_view name) {
  return object(
      {member("$ref", text("#/components/" + std::string(kind) + '/' + std::string(name)))});
}

std::string schema_reference(std::string_view name) {
  return reference("schemas", name);
}

std::string fields(const std::vector<std::string>& properties) {
  return R"("type":"object","properties":)" + object(properties);
}

std::string required(const std::vector<std::string_view>& names) {
  return member("required", texts(names));
}

std::string property(std::string_view name, std::string_view description, std::string_view rest) {
  return member(name, object({member("description", text(description)), std::string(rest)}));
}

std::string integer(std::uint64_t min, std::uint64_t max) {
  return R"("type":"integer","minimum":)" + std::to_string(min) + R"(,"maximum":)" +
         std::to_string(max);
}

std::string integer(std::uint64_t min, std::uint64_t max, std::uint64_t default_value) {
  return integer(min, max) + R"(,"default":)" + std::to_string(default_value);
}

}  // namespace fetchmill::handlers::openapi
