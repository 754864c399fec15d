// json.aggregate: count, sum, mean, extremes of one field of each item, also grouped by another.
//
// One On-Demand pass in document order, over an array or over NDJSON. An item whose value is
// missing or no number, or whose group is an array or an object, is not counted but reported in
// `skipped`. Groups are named by the string, or by the JSON text of a number, true or false; null
// and missing make group "null".
#include "workers/json/json_pointer.hpp"
#include "workers/json/json_structure.hpp"
#include "workers/json/json_text.hpp"
#include "workers/json/json_validator.hpp"
#include "workers/json/simdjson_buffers.hpp"
#include "workers/ops/group_stats.hpp"
#include "workers/ops/media_type.hpp"
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using simdjson::error_code;
namespace ondemand = simdjson::ondemand;

// What the walk over one item found.
struct ItemFields {
  enum class Kind : std::uint8_t { none, integer, unsigned_integer, real };

  Kind kind = Kind::none;
  union {
    std::int64_t integer = 0;
    std::uint64_t unsigned_integer;
    double real;
  };
  std::string_view group = "null";
  bool group_is_container = false;
};

constexpr std::size_t value_slot = 0;
constexpr std::size_t group_slot = 1;

struct TakeFields {
  ItemFields& item;

  template <class Value>
  [[gnu::always_inline]] inline error_code operator()(const json::PointerNode& node,
                                                      Value& value) const {
    ondemand::json_type type;
    if (const auto error = value.type().get(type)) return error;
    // A number may be both: its group is named first, because reading it moves on.
    for (std::size_t i = node.slots.size(); i-- > 0;)
      if (const auto error =
              node.slots[i] == group_slot ? take_group(type, value) : take_value(type, value))
        return error;
    return simdjson::SUCCESS;
  }

  template <class Value>
  [[gnu::always_inline]] inline error_code take_value(ondemand::json_type type,
                                                      Value& value) const {
    if (type != ondemand::json_type::number) return simdjson::SUCCESS;
    ondemand::number number;
    if (value.get_number().get(number)) {
      // An integer of more than 64 bits is still a number.
      item.kind = ItemFields::Kind::real;
      return value.get_double().get(item.real);
    }
    if (number.is_int64()) {
      item.kind = ItemFields::Kind::integer;
      item.integer = number.get_int64();
    } else if (number.is_uint64()) {
      item.kind = ItemFields::Kind::unsigned_integer;
      item.unsigned_integer = number.get_uint64();
    } else {
      item.kind = ItemFields::Kind::real;
      item.real = number.get_double();
    }
    return simdjson::SUCCESS;
  }

  template <class Value>
  [[gnu::always_inline]] inline error_code take_group(ondemand::json_type type,
                                                      Value& value) const {
    if (type == ondemand::json_type::array || type == ondemand::json_type::object) {
      item.group_is_container = true;
      return simdjson::SUCCESS;
    }
    std::string_view raw;
    simdjson::simdjson_result<std::string_view> token(value.raw_json_token());
    if (const auto error = std::move(token).get(raw)) return error;
    item.group = json::without_trailing_space(raw);
    if (type != ondemand::json_type::string) {
      // Taken by its text, so nobody else would notice a token that is none.
      return json::is_json_scalar(item.group) ? simdjson::SUCCESS : simdjson::TAPE_ERROR;
    }
    if (json::holds_backslash(item.group)) return value.get_string().get(item.group);
    if (item.group.size() < 2 || item.group.back() != '"') return simdjson::TAPE_ERROR;
    item.group.remove_prefix(1);
    item.group.remove_suffix(1);
    return simdjson::SUCCESS;
  }
};

class AggregateStep final : public Step {
 public:
  explicit AggregateStep(const Params& given)
      : validate_(given.get<bool>("validate")),
        figures_(given, pointer(given, "value") != nullptr) {
    items_.add(*pointer(given, "items"), 0);
    if (const std::string* value = pointer(given, "value"))
      has_value_ = tree_.add(*value, value_slot);
    if (const std::string* group = pointer(given, "group_by"))
      has_groups_ = tree_.add(*group, group_slot);
    items_at_root_ = pointer(given, "items")->empty();
  }

  static const std::string* pointer(const Params& given, std::string_view name) {
    const ParamValue* value = given.find(name);
    return value == nullptr ? nullptr : std::get_if<std::string>(value);
  }

  Result<void> run(const Input& input, Output& output) override {
    groups_.clear();
    figures_.kept = 0;
    total_ = NumberStats();
    skipped_ = 0;
    const std::string_view text = json::without_bom(input.bytes);
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    const bool is_array = first != std::string_view::npos && text[first] == '[';
    const bool lines = items_at_root_ && (!is_array || is_ndjson_media_type(input.media_type));
    auto done = lines ? add_lines(text) : add_document(text);
    json::release_if_large(parser_);
    if (!done) return done;
    return append_aggregate(output.bytes, figures_, total_, has_groups_ ? &groups_ : nullptr,
                            skipped_);
  }

 private:
  Result<void> add_document(std::string_view text) {
    if (validate_ && !validator_.is_valid(text)) return json::not_json(text, simdjson::TAPE_ERROR);
    ondemand::document document;
    bool found = false;
    const auto take_items = [this, &found](const json::PointerNode&, auto& value) -> error_code {
      ondemand::array items;
      if (const auto error = value.get_array().get(items)) return error;
      found = true;
      return add_items(items, [this](auto& item) { return this->add_item(item); });
    };
    if (items_at_root_ && tree_.children_are_leaves()) {
      if (const auto error = add_root_items(text)) return json::not_json(text, error);
      return {};
    }
    auto error = parser_.iterate(json::padded(text)).get(document);
    if (!error) error = walk(document, items_, take_items);
    if (!error) error = items_at_root_ ? end_of(document) : json::check_structure(document);
    if (error == simdjson::INCORRECT_TYPE)
      return Error(ErrorCode::processing_failed, "what `items` points to is not an array");
    if (error) return json::not_json(text, error);
    if (!found)
      return Error(ErrorCode::processing_failed, "there is nothing where `items` points to");
    return {};
  }

  // An array at the root, and fields of its items themselves.
  error_code add_root_items(std::string_view text) {
    ondemand::document document;
    ondemand::array items;
    if (const auto error = parser_.iterate(json::padded(text)).get(document)) return error;
    if (const auto error = document.get_array().get(items)) return error;
    const auto add = [this](ondemand::value & item) __attribute__((always_inline)) {
      ItemFields fields;
      TakeFields take{fields};
      if (has_value_ || has_groups_)
        if (const auto error = walk_leaves(item, tree_, take)) return error;
      add_fields(fields);
      return simdjson::SUCCESS;
    };
    if (const auto error = add_items(items, add)) return error;
    return end_of(document);
  }

  template <class Add>
  [[gnu::always_inline]] static inline error_code add_items(ondemand::array& items, Add add) {
    for (auto element : items) {
      ondemand::value item;
      if (const auto error = element.get(item)) return error;
      if (const auto error = add(item)) return error;
    }
    return simdjson::SUCCESS;
  }

  // On-Demand ends with the array; what comes after it is ours to refuse. What was passed over
  // inside has as many closing brackets as opening ones by then; check_structure would take a pass
  // more.
  [[gnu::always_inline]] static inline error_code end_of(ondemand::document& document) {
    const bool at_end = document.current_location().error() == simdjson::OUT_OF_BOUNDS;
    return at_end ? simdjson::SUCCESS : simdjson::TRAILING_CONTENT;
  }

  Result<void> add_lines(std::string_view text) {
    for (std::size_t number = 1; !text.empty(); ++number) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      if (const error_code error = add_line(line)) {
        Error failed = json::not_json(line, error);
        failed.detail = "item on line " + std::to_string(number) + ": " + failed.detail;
        return failed;
      }
    }
    return {};
  }

  error_code add_line(std::string_view line) {
    if (validate_ && !validator_.is_valid(line)) return simdjson::TAPE_ERROR;
    ondemand::document document;
    if (const auto error = parser_.iterate(json::padded(line)).get(document)) return error;
    if (const auto error = add_item(document)) return error;
    return json::check_structure(document);
  }

  template <class Value>
  error_code add_item(Value& value) {
    ItemFields item;
    TakeFields take{item};
    if (has_value_ || has_groups_)
      if (const auto error = walk(value, tree_, take)) return error;
    add_fields(item);
    return simdjson::SUCCESS;
  }

  void add_fields(const ItemFields& item) {
    if (item.group_is_container || (has_value_ && item.kind == ItemFields::Kind::none)) {
      ++skipped_;
      return;
    }
    NumberStats& stats = has_groups_ ? groups_.of(item.group) : total_;
    switch (item.kind) {
      case ItemFields::Kind::none:
        stats.add_item();
        break;
      case ItemFields::Kind::integer:
        add_number(stats, figures_, item.integer);
        break;
      case ItemFields::Kind::unsigned_integer:
        add_number(stats, figures_, item.unsigned_integer);
        break;
      case ItemFields::Kind::real:
        add_number(stats, figures_, item.real);
        break;
    }
  }

  bool validate_;
  Figures figures_;
  bool has_value_ = false;
  bool has_groups_ = false;
  bool items_at_root_ = true;
  json::PointerNode items_;
  json::PointerNode tree_;  // value and group_by, inside each item
  ondemand::parser parser_;
  json::JsonValidator validator_;
  Groups groups_;
  NumberStats total_;
  std::uint64_t skipped_ = 0;
};

Result<void> check(const Params& given) {
  json::PointerNode tree;
  const std::string* value = AggregateStep::pointer(given, "value");
  const std::string* group = AggregateStep::pointer(given, "group_by");
  if (value != nullptr && group != nullptr && tree.add(*value, value_slot) &&
      !tree.add(*group, group_slot))
    return Error(
        ErrorCode::invalid_request,
        "value and group_by lead into each other, so one of them can be no number and no name",
        "group_by");
  return {};
}

Result<std::unique_ptr<Step>> compile(const Op&, const Params& given) {
  return std::make_unique<AggregateStep>(given);
}

std::string pointer_fault(std::string_view pointer) {
  std::string fault = json::json_pointer_fault(pointer);
  if (!fault.empty() && pointer.front() != '/')
    fault += "; did you mean \"/" + std::string(pointer) + "\"?";
  return fault;
}

constexpr ParamSpec params[] = {
    {.name = "value",
     .fault = pointer_fault,
     .description =
         "JSON Pointer inside each item to the number; without it, items are only counted. Items "
         "without a number there are reported as `skipped`."},
    {.name = "group_by",
     .fault = pointer_fault,
     .description =
         "JSON Pointer inside each item to the name of its group; null and missing make group "
         "\"null\"."},
    {.name = "items",
     .default_json = "\"\"",
     .fault = pointer_fault,
     .description =
         "JSON Pointer to the array of items. By default the root, which may also be NDJSON: an "
         "item a line."},
    stats_param,
    quantiles_param,
    {.name = "validate",
     .types = boolean_type,
     .default_json = "false",
     .description = "Check all of the document, not only UTF-8, structure and the fields read."},
};
constexpr Example examples[] = {
    {.params = R"({"value":"/price","group_by":"/brand","stats":["count","sum"]})",
     .input =
         R"([{"brand":"Acme","price":2.5},{"brand":"Bolt","price":4},{"brand":"Acme","price":1}])",
     .output =
         R"({"count":3,"sum":7.5,"skipped":0,"groups":{"Acme":{"count":2,"sum":3.5},"Bolt":{"count":1,"sum":4}}})"},
};
constexpr std::string_view input_types[] = {"application/json", "application/x-ndjson"};

}  // namespace

extern const Op json_aggregate_op;
const Op json_aggregate_op{
    .name = "json.aggregate",
    .summary = "Count, sum, mean, min, max of a field over an array or NDJSON, also by group.",
    .limits =
        "`quantiles` keep every number: of more than 4,000,000 they end in `processing_failed`. A "
        "pointer has at most 128 levels. Without `validate`, what is passed over is checked for "
        "UTF-8 and structure: brackets that match, at most 1,024 deep, keys, commas and colons. Its "
        "numbers, literals and escapes are not looked at. In an array at the root only the number "
        "of brackets is held against what is expected, so that of a document that is not JSON "
        "items may be missed without a word: where that can come, ask for `validate`.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .check = check,
    .compile = compile,
};

}  // namespace fetchmill::workers::ops
