// Numbers as hexadecimal digits of a fixed width. Pure.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include <boost/endian/conversion.hpp>

namespace fetchmill::config {

namespace detail {

// The digits of 32 bits, a byte each, the first in the highest. All at once: each request has an
// id, and each result a tag.
constexpr std::uint64_t eight_hex_digits(std::uint64_t value) {
  value = (value << 16 | value) & 0x0000ffff0000ffff;
  value = (value << 8 | value) & 0x00ff00ff00ff00ff;
  value = (value << 4 | value) & 0x0f0f0f0f0f0f0f0f;
  const std::uint64_t is_letter = (value + 0x0606060606060606) >> 4 & 0x0101010101010101;
  return value + 0x3030303030303030 + is_letter * ('a' - '9' - 1);
}

}  // namespace detail

// All 16 of them, the most significant first.
constexpr std::array<char, 16> hex_digits(std::uint64_t value) {
  using boost::endian::native_to_big;
  return std::bit_cast<std::array<char, 16>>(
      std::array{native_to_big(detail::eight_hex_digits(value >> 32)),
                 native_to_big(detail::eight_hex_digits(value & 0xffffffff))});
}

}  // namespace fetchmill::config
