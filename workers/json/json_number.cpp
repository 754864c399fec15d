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

// Below 10^18 each, so the product fits.
__extension__ using Product = unsigned __int128;
std::uint64_t product_modulo(std::uint64_t a, std::uint64_t b, std::uint64_t divisor) {
  return static_cast<std::uint64_t>(Product{a} * b % divisor);
}

// The exponent of the last digit that is not zero.
std::int64_t last_exponent(const Decimal& number) {
  return number.exponent - static_cast<std::int64_t>(number.digits.size());
}

template <class Number>
bool overflows(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc::result_out_of_range;
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

std::string canonical_json_number(std::string_view number) {
  const Decimal decimal = read_decimal(number);
  return (decimal.negative ? "-" : "") + decimal.digits + "e" + std::to_string(decimal.exponent);
}

bool is_json_integer(std::string_view number) {
  return last_exponent(read_decimal(number)) >= 0;
}

std::size_t json_number_digits(std::string_view number) {
  return read_decimal(number).digits.size();
}

bool is_json_multiple(std::string_view number, std::string_view divisor) {
  const Decimal dividend = read_decimal(number);
  if (dividend.digits.empty()) return true;
  const Decimal unit = read_decimal(divisor);
  // The last digit is not zero, so no multiple of a higher power of ten.
  std::int64_t zeros = last_exponent(dividend) - last_exponent(unit);
  if (zeros < 0) return false;
  std::uint64_t by = 0;
  std::from_chars(unit.digits.data(), unit.digits.data() + unit.digits.size(), by);
  std::uint64_t rest = 0;
  for (const char digit : dividend.digits)
    rest =
        static_cast<std::uint64_t>((Product{rest} * 10 + static_cast<unsigned>(digit - '0')) % by);
  for (std::uint64_t power = 10 % by; zeros > 0; zeros >>= 1U) {
    if ((zeros & 1) != 0) rest = product_modulo(rest, power, by);
    power = product_modulo(power, power, by);
  }
  return rest == 0;
}

bool is_dom_number(std::string_view number) {
  const bool is_negative = number.starts_with('-');
  if (number.find_first_of(".eE") == std::string_view::npos)
    return is_negative ? !overflows<std::int64_t>(number) : !overflows<std::uint64_t>(number);
  const std::string_view magnitude = number.substr(is_negative ? 1 : 0);
  return !overflows<double>(magnitude) || std::is_lt(compare_json_numbers(magnitude, "1"));
}

}  // namespace fetchmill::workers::json
