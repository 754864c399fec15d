// The head of an answer as it was received, and where those fields stand in it that are asked for
// after nearly every answer (known_fields.def): noted when the head is set, so that it is not
// scanned for each. Pure.
//
// Lifetime: views point into the head, until it is set again, moved or gone.
// Trust: it passed server/wire, which bounds it and lets no LF pass but those of the line ends.
#pragma once

#include "server/wire/head.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

struct HeadLine {
  std::string_view name;
  std::string_view value;  // without white space around it
};

// The field lines of a head, one after the other. Moves on by a line with each call.
class FieldLines {
 public:
  // What comes before the first line end is passed over: a status line, or the rest of a line.
  explicit FieldLines(std::string_view head) : rest_(head) { take_line(); }

  // Nothing after the last one.
  std::optional<HeadLine> next();
  // The value of the next field of that name, any case. Lines of other names are passed over
  // without being taken apart.
  std::optional<std::string_view> next_of(std::string_view name);

 private:
  std::string_view take_line();

  std::string_view rest_;
};

enum class KnownField : std::uint8_t {
#define FIELD(name) name,
#include "server/fetch/known_fields.def"
#undef FIELD
};
// What the parser calls them, in the same order.
inline constexpr std::array known_field_ids{
#define FIELD(name) wire::FieldId::name,
#include "server/fetch/known_fields.def"
#undef FIELD
};
std::string_view to_string(KnownField field);

class UpstreamHead {
 public:
  UpstreamHead() = default;
  // Nothing when server/wire refuses it.
  static std::optional<UpstreamHead> parse(std::string_view text);

  // Requires: the fields are all of that text, and views into it.
  void assign(std::string_view text, const wire::Fields& fields);
  void clear() { assign({}, {}); }

  const std::string& text() const { return text_; }
  bool has(KnownField field) const { return place(field).offset != 0; }
  bool repeats(KnownField field) const { return (repeated_ & bit(field)) != 0; }
  // The first of that name; empty where there is none.
  std::string_view field(KnownField field) const {
    return std::string_view(text_).substr(place(field).offset, place(field).bytes);
  }
  // Calls visit(value) for each line of that name.
  template <class Visit>
  void for_each(KnownField wanted, Visit visit) const {
    if (!has(wanted)) return;
    visit(field(wanted));
    if (!repeats(wanted)) return;
    FieldLines later(std::string_view(text_).substr(place(wanted).offset));
    while (const auto value = later.next_of(to_string(wanted))) visit(*value);
  }
  // All of that name as one list, joined by ", " (RFC 9110 §5.3).
  std::string list(KnownField field) const;
  // The same for any name, in any case, by a scan.
  std::string list(std::string_view name) const;

 private:
  // Of a value. No field stands at 0, which is where the status line begins.
  struct Place {
    std::uint16_t offset = 0;
    std::uint16_t bytes = 0;
  };
  static_assert(wire::HeadLimits().head_bytes_max <= std::numeric_limits<std::uint16_t>::max());

  static constexpr std::uint16_t bit(KnownField field) {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(field));
  }
  const Place& place(KnownField field) const { return places_[static_cast<std::size_t>(field)]; }

  std::string text_;
  std::array<Place, known_field_ids.size()> places_{};
  std::uint16_t repeated_ = 0;
  static_assert(known_field_ids.size() <= std::numeric_limits<std::uint16_t>::digits);
};

}  // namespace fetchmill::server::fetch
