#include "workers/ops/json_schema_evaluator.hpp"

#include "workers/json/json_number.hpp"

#include <algorithm>
#include <compare>
#include <unordered_set>

#include <re2/re2.h>

namespace fetchmill::workers::ops {
namespace {

using json::JsonTree;
using Kind = SchemaKeyword::Kind;
using ValueKind = JsonTree::Kind;

constexpr std::string_view too_much_work =
    "the schema takes too much work on this document: more than 100,000,000 steps";
constexpr std::string_view too_deep = "the schema leads into itself more than 2,000 deep";

std::size_t characters_of(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(
      utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool is_match(const re2::RE2& pattern, std::string_view text) {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

std::string in_short(std::string_view text) {
  constexpr std::size_t shown = 100;
  return std::string(text.substr(0, shown)) + (text.size() > shown ? "…" : "");
}

std::string in_quotes(std::string_view name) {
  return "'" + in_short(name) + "'";
}

}  // namespace

// While one lives, what fails is not reported.
class JsonSchemaEvaluator::Quiet {
 public:
  explicit Quiet(JsonSchemaEvaluator& evaluator) : evaluator_(evaluator) { ++evaluator_.quiet_; }
  ~Quiet() { --evaluator_.quiet_; }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  JsonSchemaEvaluator& evaluator_;
};

std::vector<SchemaViolation> JsonSchemaEvaluator::evaluate(const JsonTree& document) {
  tree_ = &document;
  scope_.clear();
  violations_.clear();
  fault_ = {};
  steps_left_ = schema_steps_max;
  check(0, 0, nullptr);
  return std::move(violations_);
}

bool JsonSchemaEvaluator::stop(std::string_view why) {
  if (fault_.empty()) fault_ = why;
  return false;
}

bool JsonSchemaEvaluator::spend(std::uint64_t steps) {
  if (steps > steps_left_) return stop(too_much_work);
  steps_left_ -= steps;
  return true;
}

bool JsonSchemaEvaluator::violation_at(Index schema_value, Index at, std::string detail) {
  if (quiet_ == 0 && goes_on())
    violations_.push_back(
        {pointer_to(*tree_, at), pointer_to(schema_.tree, schema_value), std::move(detail)});
  return false;
}

bool JsonSchemaEvaluator::violation(const SchemaKeyword& keyword, Index at, std::string detail) {
  return violation_at(keyword.value, at, std::move(detail));
}

// ---- Subschemas.

bool JsonSchemaEvaluator::check(SchemaId id, Index at, Seen seen) {
  const Subschema& subschema = schema_.subschemas[id];
  if (depth_ == schema_nesting_max) return stop(too_deep);
  if (!goes_on() || !spend(1)) return false;
  if (subschema.never) return violation_at(subschema.node, at, "nothing is allowed here");
  const bool enters = scope_.empty() || scope_.back() != subschema.resource;
  if (enters) scope_.push_back(subschema.resource);
  ++depth_;
  bool valid = false;
  if (seen == nullptr && !subschema.asks_unevaluated) {
    valid = check_keywords(subschema, at, nullptr);
  } else {
    std::vector<Index> own;
    valid = check_keywords(subschema, at, &own);
    if (valid && seen != nullptr) seen->insert(seen->end(), own.begin(), own.end());
  }
  --depth_;
  if (enters) scope_.pop_back();
  return valid;
}

bool JsonSchemaEvaluator::check_keywords(const Subschema& subschema, Index at, Seen seen) {
  bool valid = true;
  for (const SchemaKeyword& keyword : subschema.keywords) {
    valid = holds(keyword, at, seen) && valid;
    if (!goes_on() || (!valid && quiet_ > 0)) return false;
  }
  return valid;
}

bool JsonSchemaEvaluator::passes_quietly(SchemaId id, Index at, Seen seen) {
  const Quiet quiet(*this);
  return check(id, at, seen);
}

bool JsonSchemaEvaluator::holds(const SchemaKeyword& keyword, Index at, Seen seen) {
  const ValueKind kind = (*tree_)[at].kind();
  if (!spend(1)) return false;
  switch (keyword.kind) {
    case Kind::type:
      return type(keyword, at);
    case Kind::one_of_values:
      return is_canonically(keyword, at);
    case Kind::multiple_of:
    case Kind::maximum:
    case Kind::exclusive_maximum:
    case Kind::minimum:
    case Kind::exclusive_minimum:
      return kind != ValueKind::number || holds_of_number(keyword, at);
    case Kind::max_length:
    case Kind::min_length:
    case Kind::pattern:
      return kind != ValueKind::string || holds_of_string(keyword, at);
    case Kind::max_items:
    case Kind::min_items:
    case Kind::unique_items:
    case Kind::items:
    case Kind::contains:
    case Kind::unevaluated_items:
      return kind != ValueKind::array || holds_of_array(keyword, at, seen);
    case Kind::max_properties:
    case Kind::min_properties:
    case Kind::required:
    case Kind::dependent_required:
    case Kind::properties:
    case Kind::names_match:
    case Kind::dependent_schemas:
    case Kind::unevaluated_properties:
      return kind != ValueKind::object || holds_of_object(keyword, at, seen);
    default:
      return holds_in_place(keyword, at, seen);
  }
}

// ---- Of any value.

bool JsonSchemaEvaluator::type(const SchemaKeyword& keyword, Index at) {
  const ValueKind kind = (*tree_)[at].kind();
  if ((keyword.count >> static_cast<unsigned>(kind) & 1U) != 0) return true;
  if ((keyword.count & SchemaKeyword::integer_bit) != 0 && kind == ValueKind::number &&
      json::is_json_integer(tree_->text(at)))
    return true;
  return violation(keyword, at,
                   "is not of the type " + std::string(schema_.tree.text(keyword.value)));
}

bool JsonSchemaEvaluator::is_canonically(const SchemaKeyword& keyword, Index at) {
  std::string value;
  if (!spend(tree_->text(at).size() / 16)) return false;
  append_canonical(value, *tree_, at);
  if (std::ranges::binary_search(keyword.names, value)) return true;
  return violation(keyword, at, "is none of the values that are allowed");
}

// ---- Of numbers and strings.

bool JsonSchemaEvaluator::holds_of_number(const SchemaKeyword& keyword, Index at) {
  const std::string_view number = tree_->text(at);
  const std::string_view limit = schema_.tree.text(keyword.value);
  if (!spend((number.size() + limit.size()) / 16)) return false;
  if (keyword.kind == Kind::multiple_of)
    return json::is_json_multiple(number, limit) ||
           violation(keyword, at, "is not a multiple of " + in_short(limit));
  const auto order = json::compare_json_numbers(number, limit);
  switch (keyword.kind) {
    case Kind::maximum:
      return std::is_lteq(order) || violation(keyword, at, "is more than " + in_short(limit));
    case Kind::exclusive_maximum:
      return std::is_lt(order) || violation(keyword, at, "is not less than " + in_short(limit));
    case Kind::minimum:
      return std::is_gteq(order) || violation(keyword, at, "is less than " + in_short(limit));
    default:
      return std::is_gt(order) || violation(keyword, at, "is not more than " + in_short(limit));
  }
}

bool JsonSchemaEvaluator::holds_of_string(const SchemaKeyword& keyword, Index at) {
  if (!spend(tree_->raw_string(at).size() / 16)) return false;
  const std::string text = json::unescaped_string(tree_->raw_string(at));
  if (keyword.kind == Kind::pattern)
    return is_match(*keyword.patterns.front().first, text) ||
           violation(keyword, at, "does not match the pattern");
  const std::size_t characters = characters_of(text);
  const std::string limit = std::to_string(keyword.count);
  if (keyword.kind == Kind::max_length)
    return characters <= keyword.count ||
           violation(keyword, at, "has more than " + limit + " characters");
  return characters >= keyword.count ||
         violation(keyword, at, "has fewer than " + limit + " characters");
}

// ---- Of arrays.

bool JsonSchemaEvaluator::holds_of_array(const SchemaKeyword& keyword, Index at, Seen seen) {
  const std::size_t count = (*tree_)[at].child_count;
  const std::string limit = std::to_string(keyword.count);
  switch (keyword.kind) {
    case Kind::max_items:
      return count <= keyword.count || violation(keyword, at, "has more than " + limit + " items");
    case Kind::min_items:
      return count >= keyword.count || violation(keyword, at, "has fewer than " + limit + " items");
    case Kind::unique_items:
      return unique(keyword, at);
    case Kind::items:
      return items(keyword, at, seen);
    case Kind::contains:
      return contains(keyword, at, seen);
    default:
      return unevaluated(keyword, at, seen);
  }
}

bool JsonSchemaEvaluator::items(const SchemaKeyword& keyword, Index array, Seen seen) {
  bool valid = true;
  std::size_t position = 0;
  tree_->for_each_child(array, [&](Index item) {
    const bool listed = position < keyword.schemas.size();
    if (!listed && !keyword.rest) return false;
    const SchemaId schema = listed ? keyword.schemas[position] : *keyword.rest;
    ++position;
    if (seen != nullptr) seen->push_back(item);
    valid = check(schema, item, nullptr) && valid;
    return goes_on() && (valid || quiet_ == 0);
  });
  return valid;
}

bool JsonSchemaEvaluator::contains(const SchemaKeyword& keyword, Index array, Seen seen) {
  std::uint64_t found = 0;
  tree_->for_each_child(array, [&](Index item) {
    if (!passes_quietly(*keyword.rest, item, nullptr)) return goes_on();
    ++found;
    if (seen != nullptr) seen->push_back(item);
    return true;
  });
  if (found < keyword.count)
    return violation(keyword, array,
                     "has fewer than " + std::to_string(keyword.count) + " items such as these");
  return found <= keyword.count_max ||
         violation(keyword, array,
                   "has more than " + std::to_string(keyword.count_max) + " items such as these");
}

bool JsonSchemaEvaluator::unique(const SchemaKeyword& keyword, Index array) {
  if (!spend(tree_->text(array).size() / 16)) return false;
  std::unordered_set<std::string> known;
  bool valid = true;
  std::size_t position = 0;
  tree_->for_each_child(array, [&](Index item) {
    std::string value;
    append_canonical(value, *tree_, item);
    valid = known.insert(std::move(value)).second;
    position += valid ? 1 : 0;
    return valid && spend(1);
  });
  return valid ||
         violation(keyword, array, "has item " + std::to_string(position) + " for the second time");
}

// ---- Of objects.

bool JsonSchemaEvaluator::holds_of_object(const SchemaKeyword& keyword, Index at, Seen seen) {
  const std::size_t count = (*tree_)[at].child_count;
  const std::string limit = std::to_string(keyword.count);
  bool valid = true;
  switch (keyword.kind) {
    case Kind::max_properties:
      return count <= keyword.count ||
             violation(keyword, at, "has more than " + limit + " members");
    case Kind::min_properties:
      return count >= keyword.count ||
             violation(keyword, at, "has fewer than " + limit + " members");
    case Kind::required:
      return has_all(keyword, at, keyword.names, 0);
    case Kind::dependent_required:
      for (const auto& group : keyword.groups) {
        const bool concerned = find_member(at, group.front()).has_value();
        valid = (!concerned || has_all(keyword, at, group, 1)) && valid;
      }
      return valid;
    case Kind::dependent_schemas:
      for (std::size_t i = 0; i < keyword.names.size(); ++i)
        valid =
            (!find_member(at, keyword.names[i]) || check(keyword.schemas[i], at, seen)) && valid;
      return valid;
    case Kind::properties:
      return properties(keyword, at, seen);
    case Kind::names_match:
      return names_match(keyword, at);
    default:
      return unevaluated(keyword, at, seen);
  }
}

std::optional<JsonTree::Index> JsonSchemaEvaluator::find_member(Index object,
                                                                std::string_view name) {
  std::optional<Index> found;
  tree_->for_each_child(object, [&](Index value) {
    const std::string_view raw = tree_->raw_string(JsonTree::key_of(value));
    const bool escaped = raw.find('\\') != std::string_view::npos;
    if (raw == name || (escaped && tree_->member_name(value) == name)) found = value;
    return !found && spend(1 + raw.size() / 16);
  });
  return found;
}

bool JsonSchemaEvaluator::has_all(const SchemaKeyword& keyword, Index object,
                                  const std::vector<std::string>& names, std::size_t from) {
  bool valid = true;
  for (std::size_t i = from; i < names.size() && goes_on(); ++i)
    if (!find_member(object, names[i]))
      valid = violation(keyword, object, "lacks the member " + in_quotes(names[i]));
  return valid && goes_on();
}

bool JsonSchemaEvaluator::properties(const SchemaKeyword& keyword, Index object, Seen seen) {
  bool valid = true;
  tree_->for_each_child(object, [&](Index value) {
    const std::string name = tree_->member_name(value);
    if (!spend(name.size() / 16)) return false;
    bool known = false;
    const auto apply = [&](SchemaId schema) {
      known = true;
      valid = check(schema, value, nullptr) && valid;
    };
    const auto named = std::ranges::lower_bound(keyword.names, name);
    if (named != keyword.names.end() && *named == name)
      apply(keyword.schemas[static_cast<std::size_t>(named - keyword.names.begin())]);
    for (const auto& [pattern, schema] : keyword.patterns)
      if (spend(1 + name.size() / 16) && is_match(*pattern, name)) apply(schema);
    if (!known && keyword.rest) apply(*keyword.rest);
    if (known && seen != nullptr) seen->push_back(value);
    return goes_on() && (valid || quiet_ == 0);
  });
  return valid;
}

// The name is a value of its own: where it stands in the document is not what the schema is about.
bool JsonSchemaEvaluator::names_match(const SchemaKeyword& keyword, Index object) {
  bool valid = true;
  const JsonTree* const document = tree_;
  document->for_each_child(object, [&](Index value) {
    const std::string_view text = document->text(JsonTree::key_of(value));
    JsonTree name;
    name.assign(text);
    tree_ = &name;
    const bool passes = passes_quietly(*keyword.rest, 0, nullptr);
    tree_ = document;
    if (!passes)
      valid = violation(
          keyword, object,
          "has a member that may not have the name " + in_quotes(document->member_name(value)));
    return goes_on() && (valid || quiet_ == 0);
  });
  return valid;
}

bool JsonSchemaEvaluator::unevaluated(const SchemaKeyword& keyword, Index at, Seen seen) {
  // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): check() made one, for asks_unevaluated
  std::ranges::sort(*seen);
  const std::size_t looked_at = seen->size();
  bool valid = true;
  tree_->for_each_child(at, [&](Index child) {
    const auto end = seen->begin() + static_cast<std::ptrdiff_t>(looked_at);
    if (std::binary_search(seen->begin(), end, child)) return spend(1);
    seen->push_back(child);
    valid = check(*keyword.rest, child, nullptr) && valid;
    return goes_on() && (valid || quiet_ == 0);
  });
  return valid;
}

// ---- Of the value itself.

bool JsonSchemaEvaluator::holds_in_place(const SchemaKeyword& keyword, Index at, Seen seen) {
  bool valid = true;
  switch (keyword.kind) {
    case Kind::all_of:
      for (const SchemaId schema : keyword.schemas) {
        valid = check(schema, at, seen) && valid;
        if (!goes_on() || (!valid && quiet_ > 0)) break;
      }
      return valid;
    case Kind::any_of:
    case Kind::exactly_one_of:
      return some(keyword, at, seen);
    case Kind::negation:
      return !passes_quietly(keyword.schemas.front(), at, nullptr) ||
             violation(keyword, at, "matches the schema that it must not match");
    case Kind::conditional:
      return conditional(keyword, at, seen);
    case Kind::dynamic_reference:
      return check(dynamic_target(keyword), at, seen);
    default:
      return check(*keyword.rest, at, seen);
  }
}

bool JsonSchemaEvaluator::some(const SchemaKeyword& keyword, Index at, Seen seen) {
  const bool any = keyword.kind == Kind::any_of;
  std::size_t passed = 0;
  for (const SchemaId schema : keyword.schemas) {
    passed += passes_quietly(schema, at, seen) ? 1 : 0;
    if (any ? passed > 0 && seen == nullptr : passed > 1) break;
  }
  const std::string all = std::to_string(keyword.schemas.size());
  if (passed == 0) return violation(keyword, at, "matches none of the " + all + " schemas");
  return any || passed == 1 ||
         violation(keyword, at, "matches more than one of the " + all + " schemas");
}

bool JsonSchemaEvaluator::conditional(const SchemaKeyword& keyword, Index at, Seen seen) {
  const bool then = passes_quietly(keyword.schemas.front(), at, seen);
  const auto& next = then ? keyword.then : keyword.rest;
  return !next || check(*next, at, seen);
}

SchemaId JsonSchemaEvaluator::dynamic_target(const SchemaKeyword& keyword) const {
  if (keyword.names.empty()) return *keyword.rest;
  for (const ResourceId resource : scope_) {
    const auto& anchors = schema_.resources[resource].dynamic_anchors;
    if (const auto found = anchors.find(keyword.names.front()); found != anchors.end())
      return found->second;
  }
  return *keyword.rest;
}

}  // namespace fetchmill::workers::ops
