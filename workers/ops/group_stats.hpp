// What json.aggregate and csv.aggregate have in common: statistics by group, the figures one may
// ask for, and the JSON of the result.
//
// Process: worker. Pure.
#pragma once

#include "workers/ops/number_stats.hpp"
#include "workers/ops/op.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <xxhash.h>

namespace fetchmill::workers::ops {

// Statistics by group, in the order the groups first appear.
class Groups {
 public:
  NumberStats& of(std::string_view key) {
    if (key.size() > sizeof Recent::word) return groups_[place_of(key)].second;
    const std::uint64_t word = short_key(key);
    Recent& recent = recent_[(word * 0x9E3779B97F4A7C15U) >> (64 - recent_bits)];
    if (recent.word != word || recent.bytes != key.size())
      recent = {.word = word, .place = place_of(key), .bytes = key.size()};
    return groups_[recent.place].second;
  }
  void clear() {
    index_.clear();
    groups_.clear();
    recent_ = {};
  }
  auto begin() const { return groups_.begin(); }
  auto end() const { return groups_.end(); }

 private:
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::size_t operator()(std::string_view key) const {
      return XXH3_64bits(key.data(), key.size());
    }
  };
  // A group with a short name, which most have, where its bytes say: found without hashing.
  struct Recent {
    std::uint64_t word = 0;
    std::size_t place = 0;
    std::size_t bytes = SIZE_MAX;
  };
  static constexpr unsigned recent_bits = 6;

  // Of keys of one length no two have the same.
  static std::uint64_t short_key(std::string_view key) {
    const auto four_bytes = [&key](std::size_t at) {
      std::uint32_t bytes;
      std::memcpy(&bytes, key.data() + at, sizeof bytes);
      return std::uint64_t{bytes};
    };
    const auto byte = [&key](std::size_t at) {
      return std::uint64_t{static_cast<unsigned char>(key[at])};
    };
    if (key.size() >= 4) return four_bytes(0) << 32U | four_bytes(key.size() - 4);
    if (key.empty()) return 0;
    return byte(0) << 16U | byte(key.size() / 2) << 8U | byte(key.size() - 1);
  }
  std::size_t place_of(std::string_view key) {
    if (const auto known = index_.find(key); known != index_.end()) return known->second;
    index_.emplace(key, groups_.size());
    groups_.emplace_back(key, NumberStats());
    return groups_.size() - 1;
  }

  boost::unordered_flat_map<std::string, std::size_t, Hash, std::equal_to<>> index_;
  std::vector<std::pair<std::string, NumberStats>> groups_;
  std::array<Recent, std::size_t{1} << recent_bits> recent_;
};

// The parameter `stats`, the same in every aggregate op.
inline constexpr std::string_view stats_values[] = {"count", "sum", "mean", "min", "max", "stddev"};
inline constexpr ParamSpec stats_param{
    .name = "stats",
    .types = string_list_type,
    .default_json = R"(["count","sum","mean","min","max"])",
    .values = stats_values,
    .description =
        "Which figures to give. Integers are added exactly, other numbers, also integers written "
        "with an exponent, as doubles with compensation; stddev is of a sample (n - 1). Unless "
        "only count is asked for, an integer of more than 38 digits ends in `processing_failed`, "
        "as do, for sum and mean, integers that add up to more than 128 bits."};

// The parameter `quantiles`, likewise.
std::string quantile_fault(std::string_view text);
inline constexpr ParamSpec quantiles_param{
    .name = "quantiles",
    .types = string_list_type,
    .fault = quantile_fault,
    .description =
        "Quantiles to give as well, such as [\"0.5\",\"0.99\"]: exact, interpolated linearly "
        "between neighbours (type 7), with the numbers taken as doubles."};

// How many numbers of a body quantiles keep, over all groups.
inline constexpr std::uint64_t kept_numbers_max = 4'000'000;

// The figures that these two ask for; without a value items are only counted.
struct Figures {
  Figures(const Params& given, bool has_value);

  void begin_body() {
    kept = 0;
    too_long.clear();
  }

  unsigned fields;
  StringList quantiles;
  // Of this body:
  std::uint64_t kept = 0;  // numbers
  std::string too_long;    // the first integer that could not be held exactly
};

// Adds one item's number, also to the deviations and the kept ones where that is asked for.
template <class Number>
void add_number(NumberStats& stats, Figures& figures, Number number) {
  stats.add(number);
  if ((figures.fields & (stddev_field | quantiles_field)) == 0) return;
  if ((figures.fields & stddev_field) != 0) stats.add_deviation(static_cast<double>(number));
  if ((figures.fields & quantiles_field) != 0 && figures.kept++ < kept_numbers_max)
    stats.keep(static_cast<double>(number));
}

// The same for an integer that may not fit 64 bits, by its digits, a minus before them perhaps. One
// that does not fit 128 bits is only counted.
void add_long_integer(NumberStats& stats, Figures& figures, std::string_view digits);

// Appends `{"count":…,…,"skipped":N}` over everything, with `"groups":{…}` unless `groups` is null.
// `total` holds what is in no group. Errors: processing_failed when more numbers came than are
// kept, or when a figure that is asked for cannot be exact.
config::Result<void> append_aggregate(std::string& out, const Figures& figures, NumberStats total,
                                      const Groups* groups, std::uint64_t skipped);

}  // namespace fetchmill::workers::ops
