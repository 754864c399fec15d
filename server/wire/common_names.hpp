// The names of fields that most heads have, found by the 16 bytes that a line begins with. Beast
// knows all names, but goes over one twice, behind the look at each of its characters; of a name
// that is found here it is known that it is a token.
//
// Pure.
#pragma once

#include "server/wire/head.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fetchmill::server::wire {

// With the colon behind it, and in lower case, as two numbers.
class CommonName {
 public:
  static constexpr std::size_t bytes_max = 15;
  static constexpr std::uint64_t lower_case = 0x2020202020202020;

  constexpr CommonName() = default;
  constexpr CommonName(std::string_view name, FieldId id)
      : size_(static_cast<std::uint8_t>(name.size())), id_(id) {
    for (std::size_t i = 0; i <= name.size(); ++i) {
      const auto c = static_cast<unsigned char>(i < name.size() ? name[i] : ':');
      text_[i / 8] |= std::uint64_t{c} << i % 8 * 8;
      mask_[i / 8] |= std::uint64_t{0xff} << i % 8 * 8;
    }
  }

  // `first` and `second` are the beginning of a line with the bits of `lower_case` set. That bit
  // tells letters from controls besides, which no line holds.
  constexpr bool begins(std::uint64_t first, std::uint64_t second) const {
    return (((first ^ text_[0]) & mask_[0]) | ((second ^ text_[1]) & mask_[1])) == 0;
  }
  constexpr std::uint64_t first() const { return text_[0]; }
  constexpr std::size_t size() const { return size_; }
  constexpr FieldId id() const { return id_; }

 private:
  std::array<std::uint64_t, 2> text_{};
  std::array<std::uint64_t, 2> mask_{};
  std::uint8_t size_ = 0;
  FieldId id_ = FieldId::unknown;
};

// Of those that begin alike the first is found soonest.
inline constexpr std::array common_names{
    CommonName("accept-ranges", FieldId::accept_ranges),
    CommonName("accept", FieldId::accept),
    CommonName("accept-encoding", FieldId::accept_encoding),
    CommonName("accept-language", FieldId::accept_language),
    CommonName("age", FieldId::age),
    CommonName("authorization", FieldId::authorization),
    CommonName("cache-control", FieldId::cache_control),
    CommonName("connection", FieldId::connection),
    CommonName("content-type", FieldId::content_type),
    CommonName("content-length", FieldId::content_length),
    CommonName("cookie", FieldId::cookie),
    CommonName("date", FieldId::date),
    CommonName("etag", FieldId::etag),
    CommonName("expires", FieldId::expires),
    CommonName("host", FieldId::host),
    CommonName("if-none-match", FieldId::if_none_match),
    CommonName("keep-alive", FieldId::keep_alive),
    CommonName("last-modified", FieldId::last_modified),
    CommonName("location", FieldId::location),
    CommonName("origin", FieldId::origin),
    CommonName("referer", FieldId::referer),
    CommonName("server", FieldId::server),
    CommonName("set-cookie", FieldId::set_cookie),
    CommonName("user-agent", FieldId::user_agent),
    CommonName("vary", FieldId::vary),
    CommonName("via", FieldId::via),
};

namespace detail {

// By the first four bytes, of which the last may be the colon. The factor was chosen so that only
// names that begin alike share a slot.
constexpr std::size_t slot_of(std::uint64_t first) {
  return static_cast<std::uint32_t>(static_cast<std::uint32_t>(first) * 0x26d86c5dU) >> 27;
}

// Places in common_names, counted from 1; 0: none.
using Slot = std::array<std::uint8_t, 4>;

inline constexpr std::array<Slot, 32> slots = [] {
  std::array<Slot, 32> filled{};
  for (std::size_t i = 0; i < common_names.size(); ++i) {
    Slot& slot = filled[slot_of(common_names[i].first())];
    std::size_t used = 0;
    while (slot.at(used) != 0) ++used;
    slot[used] = static_cast<std::uint8_t>(i + 1);
  }
  return filled;
}();

}  // namespace detail

// The one that `text` begins with and that ends at `line_bytes` or before; null: none. Requires:
// there are no controls among these.
inline const CommonName* find_common_name(std::string_view text, std::size_t line_bytes) {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  if (text.size() < sizeof first + sizeof second) return nullptr;
  std::memcpy(&first, text.data(), sizeof first);
  std::memcpy(&second, text.data() + sizeof first, sizeof second);
  first |= CommonName::lower_case;
  second |= CommonName::lower_case;
  for (const std::uint8_t place : detail::slots[detail::slot_of(first)]) {
    if (place == 0) break;
    const CommonName& name = common_names[place - 1];
    if (name.begins(first, second)) return name.size() < line_bytes ? &name : nullptr;
  }
  return nullptr;
}

}  // namespace fetchmill::server::wire
