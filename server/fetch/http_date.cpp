#include "server/fetch/http_date.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace fetchmill::server::fetch {
namespace {

using std::chrono::sys_seconds;

// Three letters as one number.
constexpr unsigned abbreviation(const char* letters) {
  unsigned number = 0;
  for (int i = 0; i < 3; ++i) number = number << 8 | static_cast<unsigned char>(letters[i]);
  return number;
}

constexpr std::array<unsigned, 7> short_days{
    abbreviation("Mon"), abbreviation("Tue"), abbreviation("Wed"), abbreviation("Thu"),
    abbreviation("Fri"), abbreviation("Sat"), abbreviation("Sun")};
constexpr std::array<std::string_view, 7> long_days{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                    "Friday", "Saturday", "Sunday"};
constexpr std::array<unsigned, 12> months{
    abbreviation("Jan"), abbreviation("Feb"), abbreviation("Mar"), abbreviation("Apr"),
    abbreviation("May"), abbreviation("Jun"), abbreviation("Jul"), abbreviation("Aug"),
    abbreviation("Sep"), abbreviation("Oct"), abbreviation("Nov"), abbreviation("Dec")};

struct Parts {
  int year = 0;
  unsigned month = 0;  // from 1
  int day = 0;
  std::chrono::seconds time{};
};

// What stands at a place of a form, each of which has one length. Most answers have a date that is
// read: no function is called for a letter or three, as it would be for texts whose length is known
// at run time only.
class Form {
 public:
  explicit Form(std::string_view text) : text_(text.data()) {}

  template <std::size_t size>
  bool has(std::size_t at, const char (&expected)[size]) const {
    return std::memcmp(text_ + at, expected, size - 1) == 0;
  }
  template <std::size_t digits>
  bool read(std::size_t at, int& number) const {
    number = 0;
    bool is_number = true;
    for (std::size_t i = at; i < at + digits; ++i) {
      is_number = is_number && ascii::is_digit(text_[i]);
      number = number * 10 + (text_[i] - '0');
    }
    return is_number;
  }
  bool read_month(std::size_t at, unsigned& month) const {
    const auto found = std::find(months.begin(), months.end(), abbreviation(text_ + at));
    month = static_cast<unsigned>(found - months.begin()) + 1;
    return found != months.end();
  }
  bool read_time(std::size_t at, std::chrono::seconds& time) const {
    int hour = 0;
    int minute = 0;
    int second = 0;
    const bool is_time = read<2>(at, hour) && has(at + 2, ":") && read<2>(at + 3, minute) &&
                         has(at + 5, ":") && read<2>(at + 6, second);
    time = std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
    // 60 is a leap second.
    return is_time && hour < 24 && minute < 60 && second <= 60;
  }
  bool has_short_day() const {
    return std::find(short_days.begin(), short_days.end(), abbreviation(text_)) != short_days.end();
  }

 private:
  const char* text_;
};

// Sun, 06 Nov 1994 08:49:37 GMT
bool read_imf_fixdate(std::string_view text, Parts& parts) {
  if (text.size() != 29) return false;
  const Form form(text);
  return form.has_short_day() && form.has(3, ", ") && form.read<2>(5, parts.day) &&
         form.has(7, " ") && form.read_month(8, parts.month) && form.has(11, " ") &&
         form.read<4>(12, parts.year) && form.has(16, " ") && form.read_time(17, parts.time) &&
         form.has(25, " GMT");
}

// Sunday, 06-Nov-94 08:49:37 GMT
bool read_rfc850_date(std::string_view text, Parts& parts, sys_seconds now) {
  const auto named = std::find_if(long_days.begin(), long_days.end(),
                                  [&](std::string_view day) { return text.starts_with(day); });
  if (named == long_days.end()) return false;
  text.remove_prefix(named->size());
  if (text.size() != 24) return false;
  const Form form(text);
  const bool is_date = form.has(0, ", ") && form.read<2>(2, parts.day) && form.has(4, "-") &&
                       form.read_month(5, parts.month) && form.has(8, "-") &&
                       form.read<2>(9, parts.year) && form.has(11, " ") &&
                       form.read_time(12, parts.time) && form.has(20, " GMT");
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(now));
  const int year_now = static_cast<int>(today.year());
  parts.year += year_now - year_now % 100;
  // At most 50 years ahead; otherwise the last year that ended in these digits.
  if (parts.year > year_now + 50) parts.year -= 100;
  if (parts.year <= year_now - 50) parts.year += 100;
  return is_date;
}

// Sun Nov  6 08:49:37 1994
bool read_asctime_date(std::string_view text, Parts& parts) {
  if (text.size() != 24) return false;
  const Form form(text);
  // A blank may stand for the leading zero of the day.
  const bool has_day = form.has(8, " ") ? form.read<1>(9, parts.day) : form.read<2>(8, parts.day);
  return form.has_short_day() && form.has(3, " ") && form.read_month(4, parts.month) &&
         form.has(7, " ") && has_day && form.has(10, " ") && form.read_time(11, parts.time) &&
         form.has(19, " ") && form.read<4>(20, parts.year);
}

}  // namespace

std::optional<sys_seconds> parse_http_date(std::string_view text, sys_seconds now) {
  using std::chrono::year_month_day;
  Parts parts;
  if (!read_imf_fixdate(text, parts) && !read_rfc850_date(text, parts, now) &&
      !read_asctime_date(text, parts))
    return std::nullopt;
  const year_month_day date(std::chrono::year(parts.year), std::chrono::month(parts.month),
                            std::chrono::day(static_cast<unsigned>(parts.day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + parts.time;
}

}  // namespace fetchmill::server::fetch
