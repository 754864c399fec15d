#include "workers/ops/feed_date.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <optional>

namespace fetchmill::workers::ops {
namespace {

constexpr std::size_t date_bytes_max = 64;
constexpr std::size_t fraction_digits_max = 9;
constexpr std::string_view spaces = " \t\r\n";

// Reads from the front of a text; what does not fit is left there.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool take(char wanted) {
    if (rest_.empty() || ascii::to_lower(rest_.front()) != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // False when there is none.
  bool spaces() {
    const std::size_t before = rest_.size();
    rest_.remove_prefix(std::min(rest_.find_first_not_of(ops::spaces), before));
    return rest_.size() != before;
  }
  std::string_view digits(std::size_t least, std::size_t most) {
    return run(ascii::is_digit, least, most);
  }
  std::string_view letters() { return run(ascii::is_letter, 1, date_bytes_max); }
  std::optional<int> number(std::size_t least, std::size_t most) {
    const std::string_view text = digits(least, most);
    if (text.empty()) return std::nullopt;
    int value = 0;
    for (const char c : text) value = value * 10 + (c - '0');
    return value;
  }

 private:
  std::string_view run(bool (*fits)(char), std::size_t least, std::size_t most) {
    std::size_t size = 0;
    while (size < rest_.size() && size < most && fits(rest_[size])) ++size;
    if (size < least) return {};
    const std::string_view found = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return found;
  }

  std::string_view rest_;
};

struct Moment {
  int year = 1970, month = 1, day = 1;
  int hour = 0, minute = 0, second = 0;
  std::string_view fraction;
  int offset_minutes = 0;
};

struct Zone {
  std::string_view name;
  int hours;
};
// RFC 822's; other letters say nothing (RFC 2822), and count as UTC.
constexpr Zone zones[] = {{"est", -5}, {"edt", -4}, {"cst", -6}, {"cdt", -5},
                          {"mst", -7}, {"mdt", -6}, {"pst", -8}, {"pdt", -7}};

bool take_offset(Reader& reader, Moment& moment) {
  const bool west = reader.take('-');
  if (!west && !reader.take('+')) return false;
  const auto hours = reader.number(2, 2);
  if (!hours) return false;
  reader.take(':');
  const int minutes = *hours * 60 + reader.number(2, 2).value_or(0);
  moment.offset_minutes = west ? -minutes : minutes;
  return *hours < 24 && minutes < 24 * 60;
}

bool take_zone(Reader& reader, Moment& moment) {
  const std::string name = ascii::to_lower(reader.letters());
  const auto* known =
      std::ranges::find_if(zones, [&name](const Zone& zone) { return zone.name == name; });
  if (known != std::end(zones)) moment.offset_minutes = known->hours * 60;
  if (name.empty()) return take_offset(reader, moment);
  // "GMT+0200" is written too.
  take_offset(reader, moment);
  return true;
}

bool take_time(Reader& reader, Moment& moment) {
  const auto hour = reader.number(1, 2);
  if (!hour || !reader.take(':')) return false;
  const auto minute = reader.number(2, 2);
  if (!minute) return false;
  moment.hour = *hour;
  moment.minute = *minute;
  if (reader.take(':')) {
    const auto second = reader.number(2, 2);
    if (!second) return false;
    // A leap second is told as the one before it.
    moment.second = *second == 60 ? 59 : *second;
    if (reader.take('.') || reader.take(',')) {
      const std::string_view digits = reader.digits(1, date_bytes_max);
      if (digits.empty()) return false;
      moment.fraction = digits.substr(0, fraction_digits_max);
    }
  }
  return moment.hour < 24 && moment.minute < 60 && moment.second < 60;
}

std::optional<int> month_named(std::string_view name) {
  constexpr std::array<std::string_view, 12> months{"jan", "feb", "mar", "apr", "may", "jun",
                                                    "jul", "aug", "sep", "oct", "nov", "dec"};
  const std::string start = ascii::to_lower(name.substr(0, 3));
  const auto* month = std::ranges::find(months, start);
  if (month == months.end()) return std::nullopt;
  return static_cast<int>(month - months.begin()) + 1;
}

// RFC 2822, section 4.3.
int full_year(int year, std::size_t digits) {
  if (digits == 2) return year + (year < 50 ? 2000 : 1900);
  return digits == 3 ? year + 1900 : year;
}

std::optional<Moment> read_rfc822(Reader reader) {
  Moment moment;
  if (!reader.letters().empty()) {
    reader.take(',');
    reader.spaces();
  }
  const auto day = reader.number(1, 2);
  if (!day) return std::nullopt;
  while (reader.spaces() || reader.take('-')) {
  }
  const auto month = month_named(reader.letters());
  while (reader.spaces() || reader.take('-') || reader.take('.')) {
  }
  Reader ahead = reader;
  const std::size_t year_digits = ahead.digits(2, 4).size();
  const auto year = reader.number(2, 4);
  if (!month || !year) return std::nullopt;
  moment.day = *day;
  moment.month = *month;
  moment.year = full_year(*year, year_digits);
  reader.spaces();
  if (reader.done()) return moment;
  if (!take_time(reader, moment)) return std::nullopt;
  reader.spaces();
  if (!reader.done() && !take_zone(reader, moment)) return std::nullopt;
  // A comment may name the zone once more: "(UTC)".
  reader.spaces();
  if (!reader.done() && !reader.take('(')) return std::nullopt;
  return moment;
}

std::optional<Moment> read_iso8601(Reader reader) {
  Moment moment;
  const auto year = reader.number(4, 4);
  if (!year) return std::nullopt;
  moment.year = *year;
  if (reader.take('-')) {
    const auto month = reader.number(1, 2);
    if (!month) return std::nullopt;
    moment.month = *month;
    if (reader.take('-')) {
      const auto day = reader.number(1, 2);
      if (!day) return std::nullopt;
      moment.day = *day;
    }
  }
  if (reader.done()) return moment;
  if (!reader.take('t') && !reader.spaces()) return std::nullopt;
  if (!take_time(reader, moment)) return std::nullopt;
  reader.spaces();
  if (!reader.done() && !take_zone(reader, moment)) return std::nullopt;
  return reader.done() ? std::optional(moment) : std::nullopt;
}

}  // namespace

std::string rfc3339_date(std::string_view text) {
  const std::size_t end = text.find_last_not_of(spaces);
  text = text.substr(0, end == std::string_view::npos ? 0 : end + 1);
  if (text.size() > date_bytes_max) return {};
  Reader reader(text);
  reader.spaces();
  auto moment = read_iso8601(reader);
  if (!moment) moment = read_rfc822(reader);
  if (!moment) return {};
  using namespace std::chrono;
  const year_month_day date = year(moment->year) / month(static_cast<unsigned>(moment->month)) /
                              day(static_cast<unsigned>(moment->day));
  if (!date.ok()) return {};
  const sys_seconds utc = sys_days(date) + hours(moment->hour) + seconds(moment->second) +
                          minutes(moment->minute - moment->offset_minutes);
  const sys_days midnight = floor<days>(utc);
  const year_month_day on(midnight);
  if (on.year() < year(0) || on.year() > year(9999)) return {};
  const hh_mm_ss at(utc - midnight);
  char written[64];
  std::snprintf(written, sizeof written, "%04d-%02u-%02uT%02d:%02d:%02d",
                static_cast<int>(on.year()), static_cast<unsigned>(on.month()),
                static_cast<unsigned>(on.day()), static_cast<int>(at.hours().count()),
                static_cast<int>(at.minutes().count()), static_cast<int>(at.seconds().count()));
  std::string result = written;
  if (!moment->fraction.empty()) result.append(".").append(moment->fraction);
  return result + "Z";
}

}  // namespace fetchmill::workers::ops
