// Small pieces of JSON text that the OpenAPI document is put together from. Pure.
//
// A "member" is `"name":value` as text; names and fixed values are ours, texts are escaped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::handlers::openapi {

std::string text(std::string_view value);
std::string member(std::string_view name, std::string_view json);
// `separator` is a comma everywhere but in running text.
std::string join(const std::vector<std::string>& parts, std::string_view separator = ",");
std::string object(const std::vector<std::string>& members);
std::string array(const std::vector<std::string>& values);
std::string texts(const std::vector<std::string_view>& values);

// {"$ref":"#/components/KIND/NAME"}
std::string reference(std::string_view kind, std::string_view name);

std::string schema_reference(std::string_view name);

// Members of a schema: that it is an object with these properties; those it must have.
std::string fields(const std::vector<std::string>& properties);
std::string required(const std::vector<std::string_view>& names);

// A member that is a schema: what it is for, then `rest`, members of the schema as text.
std::string property(std::string_view name, std::string_view description, std::string_view rest);
// The `rest` of a whole number.
std::string integer(std::uint64_t min, std::uint64_t max);
std::string integer(std::uint64_t min, std::uint64_t max, std::uint64_t default_value);
inline constexpr std::string_view string_type = R"("type":"string")";
inline constexpr std::string_view count_type = R"("type":"integer","minimum":0)";
inline constexpr std::string_view milliseconds_type = R"("type":"number","minimum":0)";

}  // namespace fetchmill::handlers::openapi
