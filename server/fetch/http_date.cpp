#include "server/fetch/http_date.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

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

// Takes a text apart from the left; after the first thing that is not there nothing else is. Most
// answers have a date that is read: what is compared is as long as the compiler knows, so that no
// function is called for a letter or three.
class Scan {
 public:
  explicit Scan(std::string_view text) : rest_(text) {}

  template <std::size_t size>
  void text(const char (&expected)[size]) {
    constexpr std::size_t bytes = size - 1;
    ok_ = ok_ && rest_.size() >= bytes && std::memcmp(rest_.data(), expected, bytes) == 0;
    if (ok_) rest_.remove_prefix(bytes);
  }

  // Exactly so many digits; blanks may stand for leading zeros where `padded`.
  int number(std::size_t digits, bool padded = false) {
    ok_ = ok_ && rest_.size() >= digits;
    int value = 0;
    for (std::size_t i = 0; ok_ && i < digits; ++i) {
      const char c = rest_[i];
      const bool pads = padded && c == ' ' && value == 0 && i + 1 < digits;
      ok_ = pads || ascii::is_digit(c);
      if (ok_ && !pads) value = value * 10 + (c - '0');
    }
    if (ok_) rest_.remove_prefix(digits);
    return value;
  }

  // Which of these comes next, from 0.
  unsigned word(std::span<const unsigned> abbreviations) {
    const unsigned letters = ok_ && rest_.size() >= 3 ? abbreviation(rest_.data()) : 0;
    const auto found = std::find(abbreviations.begin(), abbreviations.end(), letters);
    ok_ = found != abbreviations.end();
    if (ok_) rest_.remove_prefix(3);
    return static_cast<unsigned>(found - abbreviations.begin());
  }
  unsigned word(std::span<const std::string_view> words) {
    const auto found = std::find_if(words.begin(), words.end(), [&](std::string_view word) {
      return ok_ && rest_.starts_with(word);
    });
    ok_ = found != words.end();
    if (ok_) rest_.remove_prefix(found->size());
    return static_cast<unsigned>(found - words.begin());
  }

  void require(bool condition) { ok_ = ok_ && condition; }
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

struct Parts {
  int year = 0;
  unsigned month = 0;  // from 1
  int day = 0;
  std::chrono::seconds time{};
};

unsigned month(Scan& scan) {
  return scan.word(months) + 1;
}

std::chrono::seconds time_of_day(Scan& scan) {
  const int hour = scan.number(2);
  scan.text(":");
  const int minute = scan.number(2);
  scan.text(":");
  const int second = scan.number(2);
  // 60 is a leap second.
  scan.require(hour < 24 && minute < 60 && second <= 60);
  return std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
}

// Sun, 06 Nov 1994 08:49:37 GMT
bool read_imf_fixdate(Scan scan, Parts& parts) {
  scan.word(short_days);
  scan.text(", ");
  parts.day = scan.number(2);
  scan.text(" ");
  parts.month = month(scan);
  scan.text(" ");
  parts.year = scan.number(4);
  scan.text(" ");
  parts.time = time_of_day(scan);
  scan.text(" GMT");
  return scan.at_end();
}

// Sunday, 06-Nov-94 08:49:37 GMT
bool read_rfc850_date(Scan scan, Parts& parts, sys_seconds now) {
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(now));
  const int year_now = static_cast<int>(today.year());
  scan.word(long_days);
  scan.text(", ");
  parts.day = scan.number(2);
  scan.text("-");
  parts.month = month(scan);
  scan.text("-");
  parts.year = year_now - year_now % 100 + scan.number(2);
  // At most 50 years ahead; otherwise the last year that ended in these digits.
  if (parts.year > year_now + 50) parts.year -= 100;
  if (parts.year <= year_now - 50) parts.year += 100;
  scan.text(" ");
  parts.time = time_of_day(scan);
  scan.text(" GMT");
  return scan.at_end();
}

// Sun Nov  6 08:49:37 1994
bool read_asctime_date(Scan scan, Parts& parts) {
  scan.word(short_days);
  scan.text(" ");
  parts.month = month(scan);
  scan.text(" ");
  parts.day = scan.number(2, true);
  scan.text(" ");
  parts.time = time_of_day(scan);
  scan.text(" ");
  parts.year = scan.number(4);
  return scan.at_end();
}

}  // namespace

std::optional<sys_seconds> parse_http_date(std::string_view text, sys_seconds now) {
  using std::chrono::year_month_day;
  const Scan scan(text);
  Parts parts;
  if (!read_imf_fixdate(scan, parts) && !read_rfc850_date(scan, parts, now) &&
      !read_asctime_date(scan, parts))
    return std::nullopt;
  const year_month_day date(std::chrono::year(parts.year), std::chrono::month(parts.month),
                            std::chrono::day(static_cast<unsigned>(parts.day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + parts.time;
}

}  // namespace fetchmill::server::fetch
