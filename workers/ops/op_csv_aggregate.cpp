// csv.aggregate: json.aggregate's figures over a column, also grouped by another.
//
// A record without a number in the column is not counted but reported in `skipped`.
#include "config/ascii.hpp"
#include "workers/ops/csv_reader.hpp"
#include "workers/ops/group_stats.hpp"
#include "workers/ops/op.hpp"
#include "workers/ops/text_input.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <variant>

namespace fetchmill::workers::ops {
namespace {

using config::Result;

template <class Number>
bool parse_whole(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool is_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && std::ranges::all_of(text, ascii::is_digit);
}

// An integer of more than 64 bits is its text.
using Number = std::variant<std::monostate, std::int64_t, std::uint64_t, double, std::string_view>;

// A decimal number, with a sign, a fraction or an exponent; nothing when the field is none: empty,
// infinite, hexadecimal, with a unit or separators of thousands.
Number parse_number(std::string_view field) {
  std::string_view text = ascii::trimmed(field, " \t");
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  std::int64_t integer = 0;
  if (parse_whole(text, integer)) return integer;
  std::uint64_t large = 0;
  if (parse_whole(text, large)) return large;
  if (is_integer(text)) return text;
  double number = 0;
  if (parse_whole(text, number) && std::isfinite(number)) return number;
  return {};
}

class CsvAggregateStep final : public Step {
 public:
  explicit CsvAggregateStep(const Params& given)
      : text_(given),
        delimiter_(given),
        has_header_(given.get<bool>("header")),
        figures_(given, given.find("value") != nullptr) {
    if (const ParamValue* value = given.find("value")) value_ = std::get<std::string>(*value);
    if (const ParamValue* group = given.find("group_by")) group_ = std::get<std::string>(*group);
  }

  Result<void> run(const Input& input, Output& output) override {
    groups_.clear();
    figures_.begin_body();
    total_ = NumberStats();
    skipped_ = 0;
    const Result<std::string_view> text = text_.read(input);
    if (!text) return text.error();
    if (auto added = add_records(CsvReader(*text, delimiter_.of(input.media_type))); !added)
      return added;
    return append_aggregate(output.bytes, figures_, total_, group_ ? &groups_ : nullptr, skipped_);
  }

 private:
  struct Columns {
    std::size_t count = 0;
    std::size_t value = 0;
    std::size_t group = 0;
  };

  Result<void> add_records(CsvReader reader) {
    std::optional<Columns> columns;
    if (has_header_) {
      const auto header = read_header(reader);
      if (!header) return header.error();
      const auto found = find_columns(*header);
      if (!found) return found.error();
      columns = *found;
    }
    for (;;) {
      const Result<bool> more = reader.next();
      if (!more) return more.error();
      if (!*more) return {};
      if (!columns) {
        const auto found = find_columns(numbered(reader.fields().size()));
        if (!found) return found.error();
        columns = *found;
      }
      if (reader.fields().size() != columns->count)
        return wrong_field_count(reader, columns->count);
      add_record(reader.fields(), *columns);
    }
  }

  // Without a header columns are called "1", "2", …
  static std::vector<std::string> numbered(std::size_t count) {
    std::vector<std::string> names;
    for (std::size_t i = 1; i <= count; ++i) names.push_back(std::to_string(i));
    return names;
  }

  Result<Columns> find_columns(const std::vector<std::string>& names) const {
    Columns columns{.count = names.size()};
    const auto find = [&names](const std::optional<std::string>& name,
                               std::size_t& column) -> Result<void> {
      if (!name) return {};
      const auto found = find_column(names, *name);
      if (!found) return found.error();
      column = *found;
      return {};
    };
    if (auto found = find(value_, columns.value); !found) return found.error();
    if (auto found = find(group_, columns.group); !found) return found.error();
    return columns;
  }

  void add_record(std::span<const std::string_view> record, const Columns& columns) {
    if (!value_) {
      stats_of(record, columns).add_item();
      return;
    }
    const Number number = parse_number(record[columns.value]);
    if (const auto* integer = std::get_if<std::int64_t>(&number))
      add_number(stats_of(record, columns), figures_, *integer);
    else if (const auto* large = std::get_if<std::uint64_t>(&number))
      add_number(stats_of(record, columns), figures_, *large);
    else if (const auto* real = std::get_if<double>(&number))
      add_number(stats_of(record, columns), figures_, *real);
    else if (const auto* digits = std::get_if<std::string_view>(&number))
      add_long_integer(stats_of(record, columns), figures_, *digits);
    else
      ++skipped_;
  }

  NumberStats& stats_of(std::span<const std::string_view> record, const Columns& columns) {
    return group_ ? groups_.of(record[columns.group]) : total_;
  }

  TextInput text_;
  CsvDelimiter delimiter_;
  bool has_header_;
  Figures figures_;
  std::optional<std::string> value_;
  std::optional<std::string> group_;
  Groups groups_;
  NumberStats total_;
  std::uint64_t skipped_ = 0;
};

constexpr ParamSpec params[] = {
    {.name = "value",
     .description =
         "The column of the numbers, by its name in the header; without it, records are only "
         "counted. Records without a number there are reported as `skipped`."},
    {.name = "group_by", .description = "The column that names each record's group."},
    stats_param,
    quantiles_param,
    {.name = "header",
     .types = boolean_type,
     .default_json = "true",
     .description = "false: the first line is a record, and columns go by their numbers, `\"1\"` "
                    "being the first."},
    csv_delimiter_param,
    charset_param,
};
constexpr Example examples[] = {
    {.params = R"({"value":"price","group_by":"brand","stats":["count","sum"]})",
     .input = "brand,price\nAcme,2.5\nBolt,4\nAcme,1\nBolt,n/a\n",
     .output =
         R"({"count":3,"sum":7.5,"skipped":1,"groups":{"Acme":{"count":2,"sum":3.5},"Bolt":{"count":1,"sum":4}}})"},
};
constexpr std::string_view input_types[] = {"text/csv", "text/tab-separated-values"};

}  // namespace

extern const Op csv_aggregate_op;
const Op csv_aggregate_op{
    .name = "csv.aggregate",
    .summary = "Count, sum, mean, min, max of a column of a CSV file, also by group.",
    .limits = csv_limits,
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<CsvAggregateStep>(given);
    },
};

}  // namespace fetchmill::workers::ops
