// A schema's text to a JsonSchema: first all subschemas that stand where keywords have them, with
// their identifiers; then the references, which may name further ones.
#include "config/percent.hpp"
#include "workers/json/json_number.hpp"
#include "workers/ops/json_schema.hpp"
#include "workers/ops/json_schema_pattern.hpp"
#include "workers/ops/json_schema_reader.hpp"
#include "workers/ops/url_reference.hpp"

#include <algorithm>

#include <re2/re2.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using json::JsonTree;
using Index = JsonTree::Index;
using Kind = SchemaKeyword::Kind;
using ValueKind = JsonTree::Kind;

enum class Draft : std::uint8_t { draft_4, draft_6, draft_7, draft_2019_09, draft_2020_12 };
constexpr std::pair<std::string_view, Draft> drafts[] = {
    {"http://json-schema.org/draft-04/schema", Draft::draft_4},
    {"http://json-schema.org/draft-06/schema", Draft::draft_6},
    {"http://json-schema.org/draft-07/schema", Draft::draft_7},
    {"https://json-schema.org/draft/2019-09/schema", Draft::draft_2019_09},
    {"https://json-schema.org/draft/2020-12/schema", Draft::draft_2020_12},
};

// What a schema without an identifier has: a name under which nothing can be found.
constexpr std::string_view root_uri = "http://schema.invalid/";
constexpr std::pair<std::string_view, std::uint64_t> type_names[] = {
    {"array", 1U << static_cast<unsigned>(ValueKind::array)},
    {"boolean", 1U << static_cast<unsigned>(ValueKind::is_true) |
                    1U << static_cast<unsigned>(ValueKind::is_false)},
    {"integer", SchemaKeyword::integer_bit},
    {"null", 1U << static_cast<unsigned>(ValueKind::null)},
    {"number", 1U << static_cast<unsigned>(ValueKind::number)},
    {"object", 1U << static_cast<unsigned>(ValueKind::object)},
    {"string", 1U << static_cast<unsigned>(ValueKind::string)},
};

std::pair<std::string_view, std::string_view> split_at_fragment(std::string_view reference) {
  const std::size_t hash = reference.find('#');
  if (hash == std::string_view::npos) return {reference, {}};
  return {reference.substr(0, hash), reference.substr(hash + 1)};
}

class Compiler : private SchemaReader {
 public:
  explicit Compiler(JsonSchema& schema) : SchemaReader(schema.tree), schema_(schema) {}

  // What is wrong with the schema, or nothing.
  std::string compile() {
    choose_draft();
    schema_.resources.push_back({.uri = std::string(root_uri), .root = 0});
    add(0, 0);
    while (fault_.empty() && !references_.empty()) {
      const Reference reference = references_.back();
      references_.pop_back();
      resolve(reference);
    }
    return fault_;
  }

 private:
  struct Reference {
    SchemaId from;
    std::size_t keyword;  // of `from`
    bool dynamic;
  };

  void choose_draft() {
    if (tree_[0].kind() != ValueKind::object) return;
    const auto schema = SchemaMembers(tree_, 0).find("$schema");
    if (!schema) return;
    const std::string uri = string_at(*schema);
    const auto* known = std::ranges::find(drafts, split_at_fragment(uri).first,
                                          &std::pair<std::string_view, Draft>::first);
    if (known == std::end(drafts))
      return fail(*schema,
                  "names no JSON Schema that is known here: drafts 4, 6, 7, 2019-09 "
                  "and 2020-12 are");
    draft_ = known->second;
  }

  // ---- Subschemas.

  SchemaId add(Index node, ResourceId resource) {
    if (const auto known = known_.find(node); known != known_.end()) return known->second;
    const auto id = static_cast<SchemaId>(schema_.subschemas.size());
    Subschema& subschema = schema_.subschemas.emplace_back();
    subschema.node = node;
    subschema.resource = resource;
    known_.emplace(node, id);
    if (depth_ == schema_depth_max) fail(node, "is nested deeper than 256 schemas");
    if (!fault_.empty()) return id;
    ++depth_;
    if (is(node, ValueKind::object))
      compile_object(id, SchemaMembers(tree_, node));
    else if (is_boolean(node))  // which draft 4 has in some places only
      subschema.never = is(node, ValueKind::is_false);
    else
      fail(node, "must be a schema: an object, true or false");
    --depth_;
    return id;
  }

  // A keyword of the subschema that is being compiled.
  SchemaKeyword& keyword(Kind kind, Index value) {
    auto& keywords = schema_.subschemas[current_].keywords;
    keywords.push_back({.kind = kind, .value = value});
    return keywords.back();
  }

  SchemaId child(Index node) {
    const SchemaId parent = current_;
    const SchemaId id = add(node, schema_.subschemas[parent].resource);
    current_ = parent;
    return id;
  }
  std::vector<SchemaId> children(Index list) {
    std::vector<SchemaId> ids;
    if (!is(list, ValueKind::array)) fail(list, "must be an array of schemas");
    tree_.for_each_child(list, [&](Index item) {
      ids.push_back(child(item));
      return fault_.empty();
    });
    return ids;
  }
  // Sorted by name.
  std::map<std::string, SchemaId, std::less<>> children_by_name(Index object) {
    std::map<std::string, SchemaId, std::less<>> ids;
    if (!is(object, ValueKind::object)) fail(object, "must be an object of schemas");
    for (const auto& [name, value] : SchemaMembers(tree_, object)) ids.emplace(name, child(value));
    return ids;
  }

  void compile_object(SchemaId id, const SchemaMembers& members) {
    current_ = id;
    const auto reference = members.find("$ref");
    // Before 2019-09, nothing beside a reference counts.
    if (reference && draft_ <= Draft::draft_7) return refer(*reference, false);
    identify(id, members);
    if (reference) refer(*reference, false);
    if (draft_ >= Draft::draft_2020_12) {
      if (const auto value = members.find("$dynamicRef")) refer(*value, true);
    } else if (draft_ == Draft::draft_2019_09) {
      if (const auto value = members.find("$recursiveRef")) refer(*value, true);
    }
    definitions(members);
    values(members);
    sizes(members);
    arrays(members);
    objects(members);
    combinations(members);
    unevaluated(members);
  }

  void identify(SchemaId id, const SchemaMembers& members) {
    Subschema& subschema = schema_.subschemas[id];
    if (const auto value = members.find(draft_ == Draft::draft_4 ? "id" : "$id");
        value && is(*value, ValueKind::string)) {
      const std::string uri = string_at(*value);
      const auto [document, fragment] = split_at_fragment(uri);
      if (!document.empty()) {
        const std::string base = schema_.resources[subschema.resource].uri;
        std::string absolute = resolve_reference(base, document);
        if (absolute.empty()) return fail(*value, "is no URI");
        if (subschema.node == 0) {
          schema_.resources[0].uri = std::move(absolute);
        } else {
          subschema.resource = static_cast<ResourceId>(schema_.resources.size());
          schema_.resources.push_back({.uri = std::move(absolute), .root = subschema.node});
        }
      }
      if (!fragment.empty() && draft_ <= Draft::draft_7)
        schema_.resources[subschema.resource].anchors.emplace(fragment, id);
    }
    SchemaResource& resource = schema_.resources[subschema.resource];
    if (draft_ >= Draft::draft_2019_09)
      if (const auto value = members.find("$anchor"))
        resource.anchors.emplace(string_at(*value), id);
    if (draft_ >= Draft::draft_2020_12)
      if (const auto value = members.find("$dynamicAnchor")) {
        resource.anchors.emplace(string_at(*value), id);
        resource.dynamic_anchors.emplace(string_at(*value), id);
      }
    // Of 2019-09: as if the root of a resource had a dynamic anchor without a name.
    if (draft_ == Draft::draft_2019_09)
      if (const auto value = members.find("$recursiveAnchor");
          value && is(*value, ValueKind::is_true))
        if (resource.root == subschema.node) resource.dynamic_anchors.emplace("", id);
  }

  void refer(Index value, bool dynamic) {
    keyword(dynamic ? Kind::dynamic_reference : Kind::reference, value);
    references_.push_back({current_, schema_.subschemas[current_].keywords.size() - 1, dynamic});
  }

  void definitions(const SchemaMembers& members) {
    for (const std::string_view name : {"definitions", "$defs"})
      if (const auto value = members.find(name); value && is(*value, ValueKind::object))
        children_by_name(*value);
  }

  // ---- Keywords, by what they are about.

  void values(const SchemaMembers& members) {
    if (const auto value = members.find("type")) {
      std::uint64_t types = 0;
      const auto names =
          is(*value, ValueKind::string) ? std::vector{string_at(*value)} : strings_at(*value);
      for (const std::string& name : names) {
        const auto* known =
            std::ranges::find(type_names, name, &std::pair<std::string_view, std::uint64_t>::first);
        if (known == std::end(type_names)) return fail(*value, "names no JSON type");
        types |= known->second;
      }
      keyword(Kind::type, *value).count = types;
    }
    if (const auto value = members.find("const"); value && draft_ > Draft::draft_4)
      append_canonical(keyword(Kind::one_of_values, *value).names.emplace_back(), tree_, *value);
    if (const auto value = members.find("enum")) {
      if (!is(*value, ValueKind::array)) return fail(*value, "must be an array");
      auto& names = keyword(Kind::one_of_values, *value).names;
      tree_.for_each_child(*value, [&](Index item) {
        append_canonical(names.emplace_back(), tree_, item);
        return true;
      });
      std::ranges::sort(names);
    }
    const auto number = [&](std::string_view name, Kind kind) {
      const auto value = members.find(name);
      if (!value || (draft_ == Draft::draft_4 && is_boolean(*value))) return;
      if (!is(*value, ValueKind::number)) return fail(*value, "must be a number");
      keyword(kind, *value);
    };
    const auto limit = [&](std::string_view name, std::string_view exclusive, Kind kind,
                           Kind exclusive_kind) {
      const auto flag = members.find(exclusive);
      const bool old_exclusive = draft_ == Draft::draft_4 && flag && is(*flag, ValueKind::is_true);
      number(name, old_exclusive ? exclusive_kind : kind);
      if (draft_ > Draft::draft_4) number(exclusive, exclusive_kind);
    };
    limit("maximum", "exclusiveMaximum", Kind::maximum, Kind::exclusive_maximum);
    limit("minimum", "exclusiveMinimum", Kind::minimum, Kind::exclusive_minimum);
    number("multipleOf", Kind::multiple_of);
    if (const auto value = members.find("multipleOf"); value && fault_.empty()) {
      const std::size_t digits = json::json_number_digits(tree_.text(*value));
      if (digits == 0 || digits > json::json_divisor_digits_max ||
          tree_.text(*value).front() == '-')
        fail(*value, "must be a number above 0 of at most 18 digits");
    }
  }

  void sizes(const SchemaMembers& members) {
    constexpr std::pair<std::string_view, Kind> counts[] = {
        {"maxLength", Kind::max_length},         {"minLength", Kind::min_length},
        {"maxItems", Kind::max_items},           {"minItems", Kind::min_items},
        {"maxProperties", Kind::max_properties}, {"minProperties", Kind::min_properties},
    };
    for (const auto& [name, kind] : counts)
      if (const auto value = members.find(name)) keyword(kind, *value).count = count_at(*value);
    if (const auto value = members.find("pattern"))
      keyword(Kind::pattern, *value).patterns.emplace_back(compiled(string_at(*value), *value), 0);
  }

  std::shared_ptr<const re2::RE2> compiled(const std::string& pattern, Index at) {
    auto compiled = compile_schema_pattern(pattern);
    if (!compiled->ok()) fail(at, "is no pattern that RE2 takes: " + compiled->error());
    return compiled;
  }

  void arrays(const SchemaMembers& members) {
    const auto items = members.find("items");
    const bool is_list = draft_ < Draft::draft_2020_12 && items && is(*items, ValueKind::array);
    const auto list = is_list                          ? items
                      : draft_ >= Draft::draft_2020_12 ? members.find("prefixItems")
                                                       : std::nullopt;
    const auto rest = is_list ? members.find("additionalItems") : items;
    for (const auto& value : {list, rest}) {
      if (!value) continue;
      SchemaKeyword made{.kind = Kind::items, .value = *value};
      if (list) made.schemas = children(*list);
      if (rest) made.rest = child(*rest);
      append(std::move(made));
      break;
    }
    if (const auto value = members.find("contains"); value && draft_ > Draft::draft_4) {
      SchemaKeyword made{.kind = Kind::contains, .value = *value, .count = 1};
      made.rest = child(*value);
      const bool counted = draft_ >= Draft::draft_2019_09;
      if (const auto least = members.find("minContains"); least && counted)
        made.count = count_at(*least);
      if (const auto most = members.find("maxContains"); most && counted)
        made.count_max = count_at(*most);
      append(std::move(made));
    }
    if (const auto value = members.find("uniqueItems"); value && is(*value, ValueKind::is_true))
      keyword(Kind::unique_items, *value);
  }

  void append(SchemaKeyword made) {
    schema_.subschemas[current_].keywords.push_back(std::move(made));
  }

  static void set_named(SchemaKeyword& made,
                        const std::map<std::string, SchemaId, std::less<>>& schemas) {
    for (const auto& [name, id] : schemas) {
      made.names.push_back(name);
      made.schemas.push_back(id);
    }
  }

  void objects(const SchemaMembers& members) {
    if (const auto value = members.find("required"); value && !is_boolean(*value))
      keyword(Kind::required, *value).names = strings_at(*value);
    const auto properties = members.find("properties");
    const auto patterns = members.find("patternProperties");
    const auto rest = members.find("additionalProperties");
    if (properties || patterns || rest) {
      SchemaKeyword made{.kind = Kind::properties,
                         .value = properties.value_or(patterns.value_or(rest.value_or(0)))};
      if (properties) set_named(made, children_by_name(*properties));
      if (patterns)
        for (const auto& [pattern, id] : children_by_name(*patterns))
          made.patterns.emplace_back(compiled(pattern, *patterns), id);
      if (rest) made.rest = child(*rest);
      append(std::move(made));
    }
    if (const auto value = members.find("propertyNames"); value && draft_ > Draft::draft_4) {
      SchemaKeyword made{.kind = Kind::names_match, .value = *value};
      made.rest = child(*value);
      append(std::move(made));
    }
    dependencies(members);
  }

  // Draft 7 has both kinds under one name, which later ones may still use.
  void dependencies(const SchemaMembers& members) {
    SchemaKeyword names{.kind = Kind::dependent_required};
    SchemaKeyword schemas{.kind = Kind::dependent_schemas};
    for (const std::string_view name : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      const auto value = members.find(name);
      const bool known = name == "dependencies" || draft_ >= Draft::draft_2019_09;
      if (!value || !known) continue;
      if (!is(*value, ValueKind::object)) return fail(*value, "must be an object");
      for (const auto& [property, dependency] : SchemaMembers(tree_, *value)) {
        if (is(dependency, ValueKind::array)) {
          auto group = strings_at(dependency);
          group.insert(group.begin(), property);
          names.groups.push_back(std::move(group));
          names.value = *value;
        } else {
          schemas.names.push_back(property);
          schemas.schemas.push_back(child(dependency));
          schemas.value = *value;
        }
      }
    }
    if (!names.groups.empty()) append(std::move(names));
    if (!schemas.schemas.empty()) append(std::move(schemas));
  }

  void combinations(const SchemaMembers& members) {
    constexpr std::pair<std::string_view, Kind> lists[] = {
        {"allOf", Kind::all_of}, {"anyOf", Kind::any_of}, {"oneOf", Kind::exactly_one_of}};
    for (const auto& [name, kind] : lists)
      if (const auto value = members.find(name)) {
        SchemaKeyword made{.kind = kind, .value = *value};
        made.schemas = children(*value);
        append(std::move(made));
      }
    if (const auto value = members.find("not")) {
      SchemaKeyword made{.kind = Kind::negation, .value = *value};
      made.schemas = {child(*value)};
      append(std::move(made));
    }
    if (const auto value = members.find("if"); value && draft_ >= Draft::draft_7) {
      SchemaKeyword made{.kind = Kind::conditional, .value = *value};
      made.schemas = {child(*value)};
      if (const auto then = members.find("then")) made.then = child(*then);
      if (const auto otherwise = members.find("else")) made.rest = child(*otherwise);
      append(std::move(made));
    }
  }

  void unevaluated(const SchemaMembers& members) {
    if (draft_ < Draft::draft_2019_09) return;
    constexpr std::pair<std::string_view, Kind> names[] = {
        {"unevaluatedItems", Kind::unevaluated_items},
        {"unevaluatedProperties", Kind::unevaluated_properties}};
    for (const auto& [name, kind] : names)
      if (const auto value = members.find(name)) {
        SchemaKeyword made{.kind = kind, .value = *value};
        made.rest = child(*value);
        append(std::move(made));
        schema_.subschemas[current_].asks_unevaluated = true;
      }
  }

  // ---- References.

  void resolve(const Reference& reference) {
    Subschema& from = schema_.subschemas[reference.from];
    const Index value = from.keywords[reference.keyword].value;
    const std::string text = string_at(value);
    const auto [document, fragment] = split_at_fragment(text);
    ResourceId target = from.resource;
    if (!document.empty()) {
      const std::string uri = resolve_reference(schema_.resources[target].uri, document);
      const auto found = std::ranges::find(schema_.resources, uri, &SchemaResource::uri);
      if (uri.empty() || found == schema_.resources.end())
        return fail(value, "refers to what is not in the schema; nothing is fetched");
      target = static_cast<ResourceId>(found - schema_.resources.begin());
    }
    const std::string name = config::percent_decode(fragment);
    const auto id = find_in(target, name);
    if (!id) return fail(value, "refers to nothing in the schema");
    SchemaKeyword& keyword = schema_.subschemas[reference.from].keywords[reference.keyword];
    keyword.rest = id;
    if (reference.dynamic && schema_.resources[target].dynamic_anchors.contains(name))
      keyword.names = {name};
  }

  std::optional<SchemaId> find_in(ResourceId resource, const std::string& fragment) {
    const Index root = schema_.resources[resource].root;
    if (fragment.empty()) return add(root, resource);
    if (fragment.front() == '/') {
      const auto node = find_by_pointer(tree_, root, fragment);
      if (!node) return std::nullopt;
      return add(*node, resource);
    }
    const auto& anchors = schema_.resources[resource].anchors;
    const auto found = anchors.find(fragment);
    if (found == anchors.end()) return std::nullopt;
    return found->second;
  }

  JsonSchema& schema_;
  Draft draft_ = Draft::draft_2020_12;
  SchemaId current_ = 0;
  std::size_t depth_ = 0;
  std::map<Index, SchemaId> known_;
  std::vector<Reference> references_;
};

}  // namespace

config::Result<std::unique_ptr<JsonSchema>> compile_json_schema(std::string text) {
  auto schema = std::make_unique<JsonSchema>();
  schema->text = std::move(text);
  schema->tree.assign(schema->text);
  if (std::string fault = Compiler(*schema).compile(); !fault.empty())
    return Error(ErrorCode::invalid_request, std::move(fault), "schema");
  return schema;
}

}  // namespace fetchmill::workers::ops
