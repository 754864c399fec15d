// json.aggregate: count, sum, mean, extremes of one field of each item, also grouped by another.
//
// One pass in document order, over an array or over NDJSON. An item whose value is
// missing or no number, or whose group is an array or an object, is not counted but reported in
// `skipped`. Groups are named by the string, or by the JSON text of a number, true or false; null
// and missing make group "null".
#include "config/printable.hpp"
#include "workers/json/json_lines.hpp"
#include "workers/json/json_locate.hpp"
#include "workers/json/json_pointer.hpp"
#include "workers/json/json_text.hpp"
#include "workers/json/json_tokens.hpp"
#include "workers/json/json_validator.hpp"
#include "workers/ops/group_stats.hpp"
#include "workers/ops/media_type.hpp"
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using json::JsonTokens;
using simdjson::error_code;

// What the walk over one item found.
struct ItemFields {
  enum class Kind : std::uint8_t { none, integer, unsigned_integer, real, long_integer };
  // As std::string_view, whose constructor a union cannot do without.
  struct Digits {
    const char* data;
    std::size_t size;
  };

  Kind kind = Kind::none;
  union {
    std::int64_t integer = 0;
    std::uint64_t unsigned_integer;
    double real;
    Digits long_integer;  // of more than 64 bits
  };
  std::string_view group = "null";
  bool group_is_container = false;
};

// What simdjson's parser of numbers calls, on a copy for those of more than 19 digits.
struct NumberWriter {
  ItemFields& item;

  void append_s64(std::int64_t value) {
    item.kind = ItemFields::Kind::integer;
    item.integer = value;
  }
  void append_u64(std::uint64_t value) {
    item.kind = ItemFields::Kind::unsigned_integer;
    item.unsigned_integer = value;
  }
  void append_double(double value) {
    item.kind = ItemFields::Kind::real;
    item.real = value;
  }
  void skip_double() {}
};

// Requires: white space or a structural character follows, and bytes of padding, whatever they
// hold.
[[gnu::always_inline]] inline error_code take_number(ItemFields& item, const char* text) {
  namespace numbers = simdjson::builtin::numberparsing;
  const auto* const digits = reinterpret_cast<const std::uint8_t*>(text);
  NumberWriter writer{item};
  return numbers::parse_number(digits, writer);
}

error_code take_last_number(ItemFields& item, std::string_view text) {
  std::string padded(text);
  padded.append(simdjson::SIMDJSON_PADDING, ' ');
  return take_number(item, padded.data());
}

// What simdjson's parser refuses, but is a number: an integer of more than 64 bits, or one of which
// the item only keeps where it is.
[[gnu::noinline, gnu::cold]] error_code take_long_number(ItemFields& item, std::string_view text) {
  if (!json::is_json_scalar(text)) return simdjson::NUMBER_ERROR;
  item.kind = ItemFields::Kind::long_integer;
  item.long_integer = {text.data(), text.size()};
  return text.find_first_of(".eE") == std::string_view::npos ? simdjson::SUCCESS
                                                             : simdjson::NUMBER_ERROR;
}

constexpr std::size_t value_slot = 0;
constexpr std::size_t group_slot = 1;

struct TakeFields {
  ItemFields& item;
  std::string& unescaped;  // holds the group's name where that has escapes

  [[gnu::always_inline]] inline error_code operator()(const json::PointerNode& node,
                                                      JsonTokens& tokens) const {
    if (tokens.at_container()) {
      for (const std::size_t slot : node.slots)
        if (slot == group_slot) item.group_is_container = true;
      return tokens.pass();
    }
    if (tokens.at_end()) return simdjson::TAPE_ERROR;
    for (const std::size_t slot : node.slots)
      if (const auto error = slot == group_slot ? take_group(tokens) : take_value(tokens))
        return error;
    return tokens.pass();
  }

  [[gnu::always_inline]] inline error_code take_value(const JsonTokens& tokens) const {
    switch (tokens.first()) {
      case '"':
      case 't':
      case 'f':
      case 'n':
        // No number, and nobody else would notice a token that is none.
        return json::is_json_scalar(tokens.scalar()) ? simdjson::SUCCESS : simdjson::TAPE_ERROR;
      default:
        if (tokens.is_last() ? take_last_number(item, tokens.scalar())
                             : take_number(item, tokens.begin()))
          return take_long_number(item, tokens.scalar());
        return simdjson::SUCCESS;
    }
  }

  [[gnu::always_inline]] inline error_code take_group(const JsonTokens& tokens) const {
    const std::string_view text = tokens.scalar();
    if (text.front() != '"') {
      item.group = text;
      // Taken by its text, so nobody else would notice a token that is none.
      return json::is_json_scalar(text) ? simdjson::SUCCESS : simdjson::TAPE_ERROR;
    }
    if (json::holds_backslash(text)) {
      const auto error = tokens.unescape(text, unescaped);
      item.group = unescaped;
      return error;
    }
    if (text.size() < 2 || text.back() != '"') return simdjson::TAPE_ERROR;
    item.group = text.substr(1, text.size() - 2);
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
    figures_.begin_body();
    total_ = NumberStats();
    skipped_ = 0;
    refused_number_ = {};
    const std::string_view text = json::without_bom(input.bytes);
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    const bool is_array = first != std::string_view::npos && text[first] == '[';
    const bool lines = items_at_root_ && (!is_array || is_ndjson_media_type(input.media_type));
    auto done = lines ? add_lines(text) : add_document(text);
    tokenizer_.release_if_large();
    if (!done) return done;
    return append_aggregate(output.bytes, figures_, total_, has_groups_ ? &groups_ : nullptr,
                            skipped_);
  }

 private:
  Result<void> add_document(std::string_view text) {
    if (validate_ && !validator_.is_valid(text)) return json::not_json(text, simdjson::TAPE_ERROR);
    JsonTokens tokens;
    bool found = false;
    const auto take_items = [this, &found](const json::PointerNode&, JsonTokens& at) -> error_code {
      found = true;
      if (at.first() != '[') return simdjson::INCORRECT_TYPE;
      return tree_.children_are_leaves()
                 ? add_items(
                       at, [this](JsonTokens & item) __attribute__((
                               always_inline)) { return this->add_item<true>(item); })
                 : add_items(at, [this](JsonTokens& item) { return this->add_item<false>(item); });
    };
    auto error = tokenizer_.start(text, tokens);
    if (!error) error = walk(tokens, items_, take_items);
    if (!error) error = tokens.finish();
    if (error == simdjson::INCORRECT_TYPE)
      return Error(ErrorCode::processing_failed, "what `items` points to is not an array");
    if (error) return cannot_read(text, error);
    if (!found)
      return Error(ErrorCode::processing_failed, "there is nothing where `items` points to");
    return {};
  }

  template <class Add>
  [[gnu::always_inline]] static inline error_code add_items(JsonTokens& tokens, Add add) {
    bool empty = false;
    if (const auto error = tokens.enter(empty)) return error;
    for (bool more = !empty; more;) {
      if (const auto error = add(tokens)) return error;
      if (const auto error = tokens.next(']', more)) return error;
    }
    return simdjson::SUCCESS;
  }

  Result<void> add_lines(std::string_view text) {
    Result<void> done;
    json::for_each_line(text, [&](std::string_view line, const json::JsonLine& place) {
      const error_code error = add_line(line);
      if (error) done = cannot_read(line, error, place);
      return !error;
    });
    return done;
  }

  error_code add_line(std::string_view line) {
    if (validate_ && !validator_.is_valid(line)) return simdjson::TAPE_ERROR;
    JsonTokens tokens;
    if (const auto error = tokenizer_.start(line, tokens)) return error;
    if (const auto error = add_item<false>(tokens)) return error;
    return tokens.finish();
  }

  template <bool has_only_leaves>
  [[gnu::always_inline]] inline error_code add_item(JsonTokens& tokens) {
    ItemFields item;
    TakeFields take{item, unescaped_group_};
    error_code error;
    if (!has_value_ && !has_groups_)
      error = tokens.pass();
    else if constexpr (has_only_leaves)
      error = walk_leaves(tokens, tree_, take);
    else
      error = walk(tokens, tree_, take);
    if (!error)
      add_fields(item);
    else
      note_refused(item);
    return error;
  }

  [[gnu::noinline, gnu::cold]] void note_refused(const ItemFields& item) {
    if (item.kind == ItemFields::Kind::long_integer)
      refused_number_ = {item.long_integer.data, item.long_integer.size};
  }

  Error cannot_read(std::string_view text, error_code error,
                    const json::JsonLine& line = {}) const {
    if (error != simdjson::NUMBER_ERROR || refused_number_.empty() || json::json_locate(text))
      return json::not_json(text, error, line);
    const auto offset = static_cast<std::size_t>(refused_number_.data() - text.data());
    return Error(ErrorCode::processing_failed,
                 "the number " + config::printable(refused_number_, 60) + " at " +
                     json::json_place(text, offset, line) + " is out of a double's range");
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
      case ItemFields::Kind::long_integer:
        add_long_integer(stats, figures_, {item.long_integer.data, item.long_integer.size});
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
  json::JsonTokenizer tokenizer_;
  json::JsonValidator validator_;
  std::string unescaped_group_;
  std::string_view refused_number_;  // where a body was given up, if it was for a number
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
        "UTF-8 and structure: brackets that match, at most 1,024 deep, keys, commas and colons. "
        "Its "
        "numbers, literals and escapes are not looked at.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .check = check,
    .compile = compile,
};

}  // namespace fetchmill::workers::ops
