#include "server/fetch/upstream_head.hpp"

#include "config/ascii.hpp"

namespace fetchmill::server::fetch {
namespace {

std::optional<KnownField> known_field(wire::FieldId id) {
  switch (id) {
#define FIELD(name)         \
  case wire::FieldId::name: \
    return KnownField::name;
#include "server/fetch/known_fields.def"
#undef FIELD
    default:
      return std::nullopt;
  }
}

// Whether a line's name is this one, any case.
bool is_named(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         ascii::equals_ignoring_case(line.substr(0, name.size()), name);
}

std::string_view value_of(std::string_view line, std::size_t name_bytes) {
  return ascii::trimmed(line.substr(name_bytes + 1), " \t");
}

void append_to_list(std::string& list, std::string_view value) {
  if (!list.empty()) list += ", ";
  list += value;
}

}  // namespace

std::string_view FieldLines::take_line() {
  const std::size_t end = rest_.find('\n');
  if (end == std::string_view::npos) return {};
  const std::string_view line = rest_.substr(0, end - (end > 0 ? 1 : 0));
  rest_.remove_prefix(end + 1);
  return line;
}

std::optional<HeadLine> FieldLines::next() {
  const std::string_view line = take_line();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return HeadLine{line.substr(0, colon), value_of(line, colon)};
}

std::optional<std::string_view> FieldLines::next_of(std::string_view name) {
  for (std::string_view line = take_line(); !line.empty(); line = take_line())
    if (is_named(line, name)) return value_of(line, name.size());
  return std::nullopt;
}

std::string_view to_string(KnownField field) {
  return boost::beast::http::to_string(known_field_ids[static_cast<std::size_t>(field)]);
}

std::string UpstreamHead::list(KnownField field) const {
  std::string joined;
  for_each(field, [&joined](std::string_view value) { append_to_list(joined, value); });
  return joined;
}

std::string UpstreamHead::list(std::string_view name) const {
  std::string joined;
  FieldLines lines(text_);
  while (const std::optional<std::string_view> value = lines.next_of(name))
    append_to_list(joined, *value);
  return joined;
}

std::optional<UpstreamHead> UpstreamHead::parse(std::string_view text) {
  wire::HeadProgress progress;
  wire::ResponseHead parsed;
  const wire::HeadResult result =
      wire::parse_response_head(text, wire::Method::get, progress, parsed);
  if (result.status != wire::HeadStatus::complete) return std::nullopt;
  UpstreamHead head;
  head.assign(text.substr(0, parsed.bytes), parsed.fields);
  return head;
}

void UpstreamHead::assign(std::string_view text, const wire::Fields& fields) {
  text_ = text;
  places_ = {};
  repeated_ = 0;
  for (const wire::Field& field : fields) {
    const std::optional<KnownField> known = known_field(field.id);
    if (!known) continue;
    Place& place = places_[static_cast<std::size_t>(*known)];
    if (place.offset != 0) {
      repeated_ |= bit(*known);
      continue;
    }
    place = {static_cast<std::uint16_t>(field.value.data() - text.data()),
             static_cast<std::uint16_t>(field.value.size())};
  }
}

}  // namespace fetchmill::server::fetch
