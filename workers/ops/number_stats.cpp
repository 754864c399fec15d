#include "workers/ops/number_stats.hpp"

#include "workers/json/json_write.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace fetchmill::workers::ops {
namespace {

void append_integer(std::string& out, Int128 number) {
  const bool negative = number < 0;
  std::string digits;
  do {
    const int digit = static_cast<int>(number % 10);
    digits += static_cast<char>('0' + (negative ? -digit : digit));
    number /= 10;
  } while (number != 0);
  if (negative) digits += '-';
  out.append(digits.rbegin(), digits.rend());
}

// Below zero, zero or above, as `integer - number` is. Exact: as doubles, integers beyond 2^53
// equal their neighbours.
int compare(Int128 integer, double number) {
  constexpr double out_of_range = 0x1p127;
  if (number >= out_of_range) return -1;
  if (number < -out_of_range) return 1;
  const auto whole = static_cast<Int128>(number);  // towards zero
  if (integer != whole) return integer < whole ? -1 : 1;
  const double rest = number - std::trunc(number);
  if (rest > 0) return -1;
  return rest < 0 ? 1 : 0;
}

}  // namespace

// Welford's update.
void NumberStats::add_deviation(double number) {
  deviations_.count += 1;
  const double delta = number - deviations_.mean;
  deviations_.mean += delta / deviations_.count;
  deviations_.squares += delta * (number - deviations_.mean);
}

void NumberStats::merge(const NumberStats& other) {
  if (other.integers_.count > 0) {
    const bool first = integers_.count == 0;
    integers_.min = first ? other.integers_.min : std::min(integers_.min, other.integers_.min);
    integers_.max = first ? other.integers_.max : std::max(integers_.max, other.integers_.max);
    integers_.count += other.integers_.count;
    integers_.add_to_sum(other.integers_.sum);
    integers_.overflows += other.integers_.overflows;
  }
  if (other.doubles_.count > 0) {
    doubles_.min = std::min(doubles_.min, other.doubles_.min);
    doubles_.max = std::max(doubles_.max, other.doubles_.max);
    doubles_.count += other.doubles_.count;
    doubles_.add_compensated(other.doubles_.sum);
    doubles_.compensation += other.doubles_.compensation;
  }
  kept_.insert(kept_.end(), other.kept_.begin(), other.kept_.end());
  if (other.deviations_.count > 0) {
    const double count = deviations_.count + other.deviations_.count;
    const double delta = other.deviations_.mean - deviations_.mean;
    deviations_.squares += other.deviations_.squares +
                           delta * delta * deviations_.count * other.deviations_.count / count;
    deviations_.mean += delta * other.deviations_.count / count;
    deviations_.count = count;
  }
}

double NumberStats::total() const {
  Doubles all = doubles_;
  all.add_compensated(static_cast<double>(integers_.sum));
  return all.sum + all.compensation;
}

void NumberStats::append_sum(std::string& out) const {
  if (doubles_.count == 0)
    append_integer(out, integers_.sum);
  else
    json::append_json_number(out, total());
}

void NumberStats::append_mean(std::string& out) const {
  const std::uint64_t count = integers_.count + doubles_.count;
  if (count == 0) {
    out += "null";
  } else if (doubles_.count == 0) {
    // Divided as integers first: the sum may be too large for a double to hold exactly.
    const Int128 whole = integers_.sum / count;
    const Int128 rest = integers_.sum % count;
    json::append_json_number(
        out, static_cast<double>(whole) + static_cast<double>(rest) / static_cast<double>(count));
  } else {
    json::append_json_number(out, total() / static_cast<double>(count));
  }
}

void NumberStats::append_extreme(std::string& out, bool max) const {
  const Int128 integer = max ? integers_.max : integers_.min;
  const double number = max ? doubles_.max : doubles_.min;
  if (integers_.count + doubles_.count == 0) {
    out += "null";
    return;
  }
  const int order = compare(integer, number);  // infinite where there is no double
  if (integers_.count > 0 && (max ? order >= 0 : order <= 0))
    append_integer(out, integer);
  else
    json::append_json_number(out, number);
}

void NumberStats::append_stddev(std::string& out) const {
  if (deviations_.count < 2)
    out += "null";
  else
    json::append_json_number(out, std::sqrt(deviations_.squares / (deviations_.count - 1)));
}

void NumberStats::append_quantiles(std::string& out, std::span<const std::string> quantiles) const {
  std::vector<double> numbers = kept_;
  std::string_view separator = "{";
  for (const std::string& name : quantiles) {
    out += std::exchange(separator, ",");
    json::append_json_string(out, name);
    out += ':';
    if (numbers.empty()) {
      out += "null";
      continue;
    }
    double p = 0;
    std::from_chars(name.data(), name.data() + name.size(), p);
    const double at = p * static_cast<double>(numbers.size() - 1);
    const auto below = numbers.begin() + static_cast<std::ptrdiff_t>(at);
    std::nth_element(numbers.begin(), below, numbers.end());
    const double share = at - std::floor(at);
    const double low = *below;
    const double high = share > 0 ? *std::min_element(below + 1, numbers.end()) : low;
    json::append_json_number(out, low == high ? low : low * (1 - share) + high * share);
  }
  out += '}';
}

void NumberStats::append_members(std::string& out, unsigned fields,
                                 std::span<const std::string> quantiles) const {
  std::string_view separator;
  const auto begin = [&](unsigned field, std::string_view name) {
    if ((fields & field) == 0) return false;
    out += separator;
    separator = ",";
    json::append_json_string(out, name);
    out += ':';
    return true;
  };
  if (begin(count_field, "count")) json::append_json_number(out, integers_.count + doubles_.count);
  if (begin(sum_field, "sum")) append_sum(out);
  if (begin(mean_field, "mean")) append_mean(out);
  if (begin(min_field, "min")) append_extreme(out, false);
  if (begin(max_field, "max")) append_extreme(out, true);
  if (begin(stddev_field, "stddev")) append_stddev(out);
  if (begin(quantiles_field, "quantiles")) append_quantiles(out, quantiles);
}

}  // namespace fetchmill::workers::ops
