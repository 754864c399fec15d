// Count, sum, mean, extremes, standard deviation and quantiles of numbers, in one pass.
//
// Memory is constant, but for quantiles, which keep every number (8 bytes each).
//
// Integers of up to 128 bits are summed exactly, other numbers as doubles, with the compensation of
// Neumaier's sum, the error of each addition by Knuth's TwoSum. Comparisons are exact.
// Process: worker. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace fetchmill::workers::ops {

__extension__ typedef __int128 Int128;

// Which figures to write, as bits.
enum StatsField : unsigned {
  count_field = 1U << 0U,
  sum_field = 1U << 1U,
  mean_field = 1U << 2U,
  min_field = 1U << 3U,
  max_field = 1U << 4U,
  stddev_field = 1U << 5U,
  quantiles_field = 1U << 6U,
};

class NumberStats {
 public:
  // An item that is counted, without a number.
  void add_item() { ++integers_.count; }
  void add(std::int64_t number) { add_integer(number); }
  void add(std::uint64_t number) { add_integer(number); }
  void add(Int128 number) { add_integer(number); }
  void add(double number) {
    ++doubles_.count;
    doubles_.min = std::min(doubles_.min, number);
    doubles_.max = std::max(doubles_.max, number);
    doubles_.add_compensated(number);
  }
  // For stddev, which costs a division a number; called besides add.
  void add_deviation(double number);
  // For quantiles, which are exact and so keep the number, as a double; called besides add.
  void keep(double number) { kept_.push_back(number); }
  // As if the other's numbers had been added here.
  void merge(const NumberStats& other);

  // Whether the sum of the integers takes more than 128 bits: sum and mean mean nothing then.
  bool overflows() const { return integers_.overflows != 0; }

  // Appends `"count":…,"sum":…`: the members asked for, with a comma between them.
  // mean, min and max of nothing are null; so is stddev (of a sample: n - 1) of less than two.
  // Quantiles interpolate linearly between the two numbers nearest to (n - 1) * p (type 7 of
  // Hyndman and Fan, the default of R and NumPy); their members are the `quantiles` as written.
  void append_members(std::string& out, unsigned fields,
                      std::span<const std::string> quantiles = {}) const;

 private:
  // They add up to `sum` and `overflows` times 2^128, in whatever order they come.
  struct Integers {
    std::uint64_t count = 0;
    std::int64_t overflows = 0;
    Int128 sum = 0;
    Int128 min = 0;
    Int128 max = 0;

    void add_to_sum(Int128 number) {
      if (__builtin_add_overflow(sum, number, &sum)) [[unlikely]]
        overflows += number < 0 ? -1 : 1;
    }
  };
  struct Doubles {
    std::uint64_t count = 0;
    double sum = 0;
    double compensation = 0;
    double min = std::numeric_limits<double>::infinity();
    double max = -std::numeric_limits<double>::infinity();

    void add_compensated(double number) {
      const double total = sum + number;
      const double added = total - sum;
      compensation += (sum - (total - added)) + (number - added);
      sum = total;
    }
  };
  struct Deviations {
    double count = 0;
    double mean = 0;
    double squares = 0;
  };

  void add_integer(Int128 number) {
    if (integers_.count++ == 0) integers_.min = integers_.max = number;
    integers_.add_to_sum(number);
    if (number < integers_.min) integers_.min = number;
    if (number > integers_.max) integers_.max = number;
  }
  double total() const;
  void append_sum(std::string& out) const;
  void append_mean(std::string& out) const;
  void append_extreme(std::string& out, bool max) const;
  void append_stddev(std::string& out) const;
  void append_quantiles(std::string& out, std::span<const std::string> quantiles) const;

  Integers integers_;
  Doubles doubles_;
  Deviations deviations_;
  std::vector<double> kept_;
};

}  // namespace fetchmill::workers::ops
