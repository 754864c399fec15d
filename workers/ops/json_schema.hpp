// A JSON Schema, compiled: every subschema as a list of keywords, every reference resolved.
//
// Drafts 2020-12 (the default), 2019-09, 7, 6 and 4, as `$schema` says. Numbers keep all digits.
// `format` and `content…` are annotations: they are not checked. Nothing is ever fetched: a
// reference that leads out of the schema is a fault.
// Lifetime: a JsonSchema is made once and read by one evaluator.
// Process: worker.
// Trust: the schema is untrusted. Its depth is bounded here, its patterns run in linear time (RE2).
#pragma once

#include "config/error.hpp"
#include "workers/json/json_tree.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace re2 {
class RE2;
}

namespace fetchmill::workers::ops {

inline constexpr std::size_t schema_depth_max = 256;

using SchemaId = std::uint32_t;
using ResourceId = std::uint32_t;

struct SchemaKeyword {
  enum class Kind : std::uint8_t {
    // Of any value.
    type,           // `count`: bits by JsonTree::Kind, and integer_bit
    one_of_values,  // enum and const; `names`: the values, canonical
    // Of numbers.
    multiple_of,
    maximum,
    exclusive_maximum,
    minimum,
    exclusive_minimum,
    // Of strings, arrays and objects: `count`.
    max_length,
    min_length,
    pattern,
    max_items,
    min_items,
    unique_items,
    max_properties,
    min_properties,
    required,            // `names`
    dependent_required,  // `groups`: if the first name is there, so must be the others
    // Which apply subschemas to children.
    items,        // `schemas`: by position; `rest`: of those behind
    contains,     // `rest`; `count` and `count_max`
    properties,   // `names` and `schemas`, sorted; `patterns`; `rest`
    names_match,  // propertyNames: `rest`
    // Which apply subschemas to the value itself.
    dependent_schemas,  // `names` and `schemas`
    conditional,        // `schemas`: if; `then`, `rest`: else
    all_of,
    any_of,
    exactly_one_of,
    negation,
    reference,          // `rest`
    dynamic_reference,  // likewise, by the dynamic anchor `names.front()` if there is one
    // Which come last: they ask what the others have looked at.
    unevaluated_items,
    unevaluated_properties,
  };
  static constexpr std::uint64_t integer_bit = 1U << 16U;
  static constexpr std::uint64_t no_limit = ~std::uint64_t{0};

  Kind kind = Kind::type;
  json::JsonTree::Index value = 0;  // in the schema
  std::uint64_t count = 0;
  std::uint64_t count_max = no_limit;
  std::optional<SchemaId> rest;
  std::optional<SchemaId> then;
  std::vector<SchemaId> schemas;
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> groups;
  std::vector<std::pair<std::shared_ptr<const re2::RE2>, SchemaId>> patterns;
};

struct Subschema {
  json::JsonTree::Index node = 0;
  ResourceId resource = 0;
  bool never = false;  // the schema `false`
  bool asks_unevaluated = false;
  std::vector<SchemaKeyword> keywords;
};

// A schema with an identifier of its own, by which and in which references are resolved.
struct SchemaResource {
  std::string uri;
  json::JsonTree::Index root = 0;
  std::map<std::string, SchemaId, std::less<>> anchors;
  std::map<std::string, SchemaId, std::less<>> dynamic_anchors;
};

struct JsonSchema {
  std::string text;
  json::JsonTree tree;               // of text
  std::deque<Subschema> subschemas;  // the first is the root
  std::vector<SchemaResource> resources;
};

// Errors: invalid_request, of the field "schema"; the detail says where in the schema.
config::Result<std::unique_ptr<JsonSchema>> compile_json_schema(std::string text);

// One text for all spellings of a value; members in the order of their names.
void append_canonical(std::string& out, const json::JsonTree& tree, json::JsonTree::Index value);

// The JSON Pointer (RFC 6901) of a value.
std::string pointer_to(const json::JsonTree& tree, json::JsonTree::Index value);

// What such a pointer leads to from `root`, if anything; it begins with "/" or is empty.
std::optional<json::JsonTree::Index> find_by_pointer(const json::JsonTree& tree,
                                                     json::JsonTree::Index root,
                                                     std::string_view pointer);

}  // namespace fetchmill::workers::ops
