#include "workers/ops/csv_reader.hpp"

#include "config/suggest.hpp"
#include "workers/ops/media_type.hpp"

#include <algorithm>
#include <unordered_map>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

bool ends_line(char c) {
  return c == '\n' || c == '\r';
}

std::string shown_name(std::string_view name) {
  constexpr std::size_t shown_bytes_max = 60;
  return "\"" + std::string(name.substr(0, shown_bytes_max)) +
         (name.size() > shown_bytes_max ? "…\"" : "\"");
}

// Their names, where those are few.
std::string columns_in_words(std::span<const std::string> header) {
  constexpr std::size_t named_max = 10;
  if (header.empty() || header.size() > named_max) return std::to_string(header.size());
  std::string words;
  for (const std::string& name : header) words += (words.empty() ? "" : ", ") + shown_name(name);
  return words;
}

}  // namespace

CsvDelimiter::CsvDelimiter(const Params& given) {
  if (const ParamValue* delimiter = given.find("delimiter"))
    given_ = std::get<std::string>(*delimiter).front();
}

char CsvDelimiter::of(std::string_view media_type) const {
  return given_.value_or(is_tsv_media_type(media_type) ? '\t' : ',');
}

Error CsvReader::fault(std::uint64_t line, const std::string& detail) const {
  return Error(ErrorCode::processing_failed, "line " + std::to_string(line) + ": " + detail);
}

Result<bool> CsvReader::next() {
  fields_.clear();
  unescaped_.clear();
  while (!rest_.empty() && ends_line(rest_.front())) take_separator();
  record_line_ = line_;
  if (rest_.empty()) return false;
  for (;;) {
    if (fields_.size() == csv_columns_max)
      return fault(record_line_, "a record has more than " + std::to_string(csv_columns_max) +
                                     " fields; is the delimiter right?");
    if (auto taken = take_field(); !taken) return taken.error();
    if (take_separator() != After::delimiter) return true;
  }
}

Result<void> CsvReader::take_field() {
  if (!rest_.empty() && rest_.front() == '"') return take_quoted_field();
  take_plain_field();
  if (!rest_.empty() && rest_.front() == '"')
    return fault(line_, "field " + std::to_string(fields_.size()) +
                            " has a quote in it, but is not quoted as a whole; write it as "
                            "\"…\" with its quotes doubled");
  return {};
}

void CsvReader::take_plain_field() {
  const auto end = std::ranges::find_if(rest_, [delimiter = delimiter_](char c) {
    return c == delimiter || c == '\n' || c == '\r' || c == '"';
  });
  fields_.push_back(rest_.substr(0, static_cast<std::size_t>(end - rest_.begin())));
  rest_.remove_prefix(fields_.back().size());
}

Result<void> CsvReader::take_quoted_field() {
  const std::uint64_t opened = line_;
  rest_.remove_prefix(1);
  std::string* joined = nullptr;
  for (;;) {
    const std::size_t end = rest_.find('"');
    if (end == std::string_view::npos)
      return fault(opened, "the quote that opens field " + std::to_string(fields_.size() + 1) +
                               " is never closed");
    const std::string_view part = rest_.substr(0, end);
    // A CR alone ends no line here: inside quotes it only matters for the numbers in messages.
    line_ += static_cast<std::uint64_t>(std::ranges::count(part, '\n'));
    rest_.remove_prefix(end + 1);
    const bool is_doubled = !rest_.empty() && rest_.front() == '"';
    if (is_doubled && joined == nullptr) joined = &unescaped_.emplace_back();
    if (joined != nullptr) joined->append(part);
    if (!is_doubled) {
      fields_.push_back(joined != nullptr ? std::string_view(*joined) : part);
      break;
    }
    *joined += '"';
    rest_.remove_prefix(1);
  }
  if (rest_.empty() || rest_.front() == delimiter_ || ends_line(rest_.front())) return {};
  return fault(line_, "more follows the closing quote of field " + std::to_string(fields_.size()));
}

CsvReader::After CsvReader::take_separator() {
  if (rest_.empty()) return After::text_end;
  const char separator = rest_.front();
  rest_.remove_prefix(separator == '\r' && rest_.starts_with("\r\n") ? 2 : 1);
  if (!ends_line(separator)) return After::delimiter;
  ++line_;
  return After::line_end;
}

Result<std::vector<std::string>> read_header(CsvReader& reader) {
  const Result<bool> has_header = reader.next();
  if (!has_header) return has_header.error();
  std::vector<std::string> names(reader.fields().begin(), reader.fields().end());
  std::unordered_map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [first, is_new] = known.emplace(names[i], i);
    if (!is_new)
      return Error(ErrorCode::processing_failed,
                   "columns " + std::to_string(first->second + 1) + " and " +
                       std::to_string(i + 1) + " are both called " + shown_name(names[i]) +
                       "; with `header` false, columns go by their numbers");
  }
  return names;
}

Result<std::size_t> find_column(std::span<const std::string> header, std::string_view name) {
  const auto found = std::ranges::find(header, name);
  if (found != header.end()) return static_cast<std::size_t>(found - header.begin());
  const std::vector<std::string_view> known(header.begin(), header.end());
  return Error(ErrorCode::processing_failed, "there is no column " + shown_name(name) +
                                                 " (columns: " + columns_in_words(header) + ")" +
                                                 config::did_you_mean(name, known));
}

Error wrong_field_count(const CsvReader& reader, std::size_t columns) {
  return Error(ErrorCode::processing_failed, "line " + std::to_string(reader.line()) + ": " +
                                                 std::to_string(reader.fields().size()) +
                                                 " fields, but there are " +
                                                 std::to_string(columns) + " columns");
}

}  // namespace fetchmill::workers::ops
