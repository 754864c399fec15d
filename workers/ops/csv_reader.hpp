// Reads CSV (RFC 4180) a record at a time: fields are parts of the text unless quotes were doubled.
//
// Lines end with LF, CRLF or CR. Lines without a byte are skipped. A quote is allowed only around a
// whole field: what would have to be guessed is an error.
// Lifetime: of the fields: until the next call of next(). Process: worker. Pure.
// Bytes: of the text, as they are; csv_columns_max bounds what a record costs.
// Errors: processing_failed, with the line.
// Trust: the text comes from the internet.
#pragma once

#include "config/error.hpp"
#include "workers/ops/op.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::workers::ops {

inline constexpr std::size_t csv_columns_max = 16384;

class CsvReader {
 public:
  CsvReader(std::string_view text, char delimiter) : rest_(text), delimiter_(delimiter) {}

  // Reads the next record; false behind the last one.
  config::Result<bool> next();
  std::span<const std::string_view> fields() const { return fields_; }
  // Where the record begins, from 1; a quoted field may hold more lines.
  std::uint64_t line() const { return record_line_; }

 private:
  enum class After : std::uint8_t { delimiter, line_end, text_end };

  config::Result<void> take_field();
  void take_plain_field();
  config::Result<void> take_quoted_field();
  After take_separator();
  config::Error fault(std::uint64_t line, const std::string& detail) const;

  std::string_view rest_;
  char delimiter_;
  std::uint64_t line_ = 1;
  std::uint64_t record_line_ = 1;
  std::vector<std::string_view> fields_;
  std::deque<std::string> unescaped_;  // a deque, because fields_ points into its strings
};

// What both csv ops say of themselves.
inline constexpr std::string_view csv_limits =
    "16384 fields a record. A quote inside an unquoted field, a field that is never closed, two "
    "columns of one name, and a record with more or fewer fields than there are columns are "
    "errors, with the line. Lines without a byte are skipped.";
inline constexpr ParamSpec csv_delimiter_param{
    .name = "delimiter",
    .fault = [](std::string_view text) -> std::string {
      const bool is_good = text.size() == 1 && static_cast<unsigned char>(text[0]) < 0x80 &&
                           text[0] != '"' && text[0] != '\n' && text[0] != '\r';
      return is_good ? "" : "must be one ASCII character, neither a quote nor a line end";
    },
    .description =
        "What stands between fields: one ASCII character, such as `;`. Without it: a tab "
        "in text/tab-separated-values, a comma in all else."};

// What that parameter and the media type of a body say.
class CsvDelimiter {
 public:
  explicit CsvDelimiter(const Params& given);
  char of(std::string_view media_type) const;

 private:
  std::optional<char> given_;
};

// The column called `name`, of a header or, without one, by its number from 1. processing_failed
// names what there is.
config::Result<std::size_t> find_column(std::span<const std::string> header, std::string_view name);

// The header line's names. processing_failed when two are the same.
config::Result<std::vector<std::string>> read_header(CsvReader& reader);

// processing_failed for a record that does not have as many fields as there are columns.
config::Error wrong_field_count(const CsvReader& reader, std::size_t columns);

}  // namespace fetchmill::workers::ops
