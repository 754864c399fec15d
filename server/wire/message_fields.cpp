#include "server/wire/message_fields.hpp"

#include "config/ascii.hpp"
#include "server/wire/chars.hpp"
#include "server/wire/common_names.hpp"

#include <algorithm>

namespace fetchmill::server::wire {
namespace {

// Digits that always fit an int64_t, with room to add.
constexpr std::size_t content_length_digits_max = 18;

// The reason why no name of `name_bytes` bytes and a colon begin the line.
Refusal refusal_of_name(std::string_view line, std::size_t name_bytes) {
  if (line.front() == ' ' || line.front() == '\t') return Refusal::folded_line;
  if (line.find(':') == std::string_view::npos) return Refusal::missing_colon;
  const char stop = line[name_bytes];
  if (stop == ':') return Refusal::empty_field_name;
  if (stop == ' ' || stop == '\t') return Refusal::space_before_colon;
  return Refusal::invalid_field_name;
}

// The line is the first `line_bytes` of `bytes`.
Refusal read_field_line(std::string_view bytes, std::size_t line_bytes, Field& field) {
  const std::string_view line = bytes.substr(0, line_bytes);
  if (const CommonName* common = find_common_name(bytes, line_bytes)) {
    field.name = line.substr(0, common->size());
    field.id = common->id();
  } else {
    const std::size_t name_bytes = span_of(token_char, line);
    if (name_bytes == 0 || name_bytes == line.size() || line[name_bytes] != ':')
      return refusal_of_name(line, name_bytes);
    field.name = line.substr(0, name_bytes);
    field.id = boost::beast::http::string_to_field(field.name);
  }
  field.value = ascii::trimmed(line.substr(field.name.size() + 1), " \t");
  return Refusal::none;
}

Refusal read_content_length(std::string_view value, MessageFields& message) {
  if (message.has_content_length || value.find(',') != std::string_view::npos) {
    return Refusal::content_length_repeated;
  }
  if (value.empty() || !std::all_of(value.begin(), value.end(), ascii::is_digit)) {
    return Refusal::content_length_invalid;
  }
  if (value.size() > content_length_digits_max) return Refusal::content_length_too_large;
  for (const char c : value) {
    message.content_length = message.content_length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  message.has_content_length = true;
  return Refusal::none;
}

Refusal read_transfer_encoding(std::string_view value, MessageFields& message) {
  if (message.is_chunked) return Refusal::transfer_encoding_repeated;
  if (!ascii::equals_ignoring_case(value, "chunked")) return Refusal::transfer_encoding_unsupported;
  message.is_chunked = true;
  return Refusal::none;
}

// A hop that honours it would drop the field this message is framed or routed by, and so read
// another message.
bool is_framing_name(std::string_view option) {
  return ascii::equals_ignoring_case(option, "content-length") ||
         ascii::equals_ignoring_case(option, "host") ||
         ascii::equals_ignoring_case(option, "transfer-encoding");
}

Refusal read_connection(std::string_view list, MessageFields& message) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view option = ascii::trimmed(list.substr(0, comma), " \t");
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (is_framing_name(option)) return Refusal::connection_nominates_framing;
    if (ascii::equals_ignoring_case(option, "close")) {
      message.connection_close = true;
    } else if (ascii::equals_ignoring_case(option, "keep-alive")) {
      message.connection_keep_alive = true;
    } else if (span_of(token_char, option) != option.size()) {
      message.connection_is_valid = false;
    }
  }
  return Refusal::none;
}

Refusal note(const Field& field, MessageFields& message) {
  switch (field.id) {
    case FieldId::content_length:
      return message.is_framed ? read_content_length(field.value, message) : Refusal::none;
    case FieldId::transfer_encoding:
      return message.is_framed ? read_transfer_encoding(field.value, message) : Refusal::none;
    case FieldId::connection:
      return read_connection(field.value, message);
    case FieldId::host:
      if (message.hosts++ == 0) message.host = field.value;
      return Refusal::none;
    case FieldId::expect:
      ++message.expectations;
      message.expects_continue = ascii::equals_ignoring_case(field.value, "100-continue");
      return Refusal::none;
    default:
      return Refusal::none;
  }
}

}  // namespace

Refusal read_field_lines(std::string_view bytes, std::size_t first_line,
                         std::span<const std::uint32_t> ends, Fields& fields,
                         MessageFields& message) {
  fields.clear();
  std::size_t start = first_line;
  for (const std::uint32_t end : ends) {
    Field field;
    if (const Refusal refusal = read_field_line(bytes.substr(start), end - start, field);
        refusal != Refusal::none) {
      return refusal;
    }
    if (const Refusal refusal = note(field, message); refusal != Refusal::none) return refusal;
    fields.append(field);
    start = end + 2;
  }
  return Refusal::none;
}

Refusal check_framing(const MessageFields& message, unsigned minor_version) {
  if (message.is_chunked && message.has_content_length) return Refusal::both_lengths;
  if (message.is_chunked && minor_version == 0) return Refusal::transfer_encoding_in_http_1_0;
  return Refusal::none;
}

bool keeps_alive(const MessageFields& message, unsigned minor_version) {
  if (message.connection_close || !message.connection_is_valid) return false;
  return minor_version == 1 || message.connection_keep_alive;
}

}  // namespace fetchmill::server::wire
