#include "workers/json/json_number.hpp"

#include <charconv>
#include <cstdint>
#include <limits>
#include <string>

namespace fetchmill::workers::json {
namespace {

// sign * 0.DIGITS * 10^exponent, the digits without zeros at either end; none for zero.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;
};

// An exponent that is out of range counts as the largest: such numbers compare by their digits.
std::int64_t read_exponent(std::string_view text) {
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max() / 4;
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && value > -largest && value < largest) return value;
  return text.starts_with('-') ? -largest : largest;
}

Decimal read_decimal(std::string_view text) {
  Decimal number;
  if (text.starts_with('-')) {
    number.negative = true;
    text.remove_prefix(1);
  }
  const std::size_t exponent_at = text.find_first_of("eE");
  std::string_view mantissa = text.substr(0, exponent_at);
  if (exponent_at != std::string_view::npos)
    number.exponent = read_exponent(text.substr(exponent_at + 1));
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  number.exponent += static_cast<std::int64_t>(point);
  number.digits = mantissa.substr(0, point);
  if (point < mantissa.size()) number.digits += mantissa.substr(point + 1);
  const std::size_t zeros = number.digits.find_first_not_of('0');
  if (zeros == std::string::npos) return {};
  number.exponent -= static_cast<std::int64_t>(zeros);
  number.digits.erase(0, zeros);
  number.digits.erase(number.digits.find_last_not_of('0') + 1);
  return number;
}

std::strong_ordering compare_magnitudes(const Decimal& a, const Decimal& b) {
  if (a.digits.empty() || b.digits.empty()) return a.digits.size() <=> b.digits.size();
  if (a.exponent != b.exponent) return a.exponent <=> b.exponent;
  return a.digits <=> b.digits;
}

bool read_small_integer(std::string_view text, std::int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::strong_ordering compare_json_numbers(std::string_view a, std::string_view b) {
  std::int64_t small_a = 0;
  std::int64_t small_b = 0;
  if (read_small_integer(a, small_a) && read_small_integer(b, small_b)) return small_a <=> small_b;
  const Decimal left = read_decimal(a);
  const Decimal right = read_decimal(b);
  if (left.negative != right.negative)
    return left.negative ? std::strong_ordering::less : std::strong_ordering::greater;
  return left.negative ? compare_magnitudes(right, left) : compare_magnitudes(left, right);
}

}  // namespace fetchmill::workers::json
