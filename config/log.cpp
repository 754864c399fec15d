#include "config/log.hpp"

#include "config/utf8.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <ctime>

#include <poll.h>

namespace fetchmill::config {
namespace {

// What a pipe takes in one piece and, when poll says it is writable, without waiting: one page.
constexpr std::size_t line_bytes_max = 4096;

// A line in the making. What does not fit is left out from then on; the end always fits.
class Line {
 public:
  explicit Line(LogFormat format) : format_(format) {}

  void open(std::string_view time, std::string_view level) {
    if (format_ == LogFormat::json) {
      append(R"({"time":")");
      append(time);
      append(R"(","level":")");
      append(level);
      append("\"");
    } else {
      append(time);
      append(" ");
      append(level);
    }
  }

  void add(std::string_view key, std::string_view value) {
    if (truncated_) return;
    const std::size_t start = size_;
    if (format_ == LogFormat::json) {
      append(",\"");
      append_escaped(key);
      append("\":\"");
      append_escaped(value);
      append("\"");
    } else {
      append(" ");
      append_escaped(key);
      append("=");
      const bool quoted = value.empty() || value.find_first_of(" =\"") != std::string_view::npos;
      if (quoted) append("\"");
      append_escaped(value);
      if (quoted) append("\"");
    }
    if (truncated_) size_ = start;
  }

  std::string_view close() {
    const bool json = format_ == LogFormat::json;
    std::string_view end = json ? "}\n" : "\n";
    if (truncated_) end = json ? json_truncated_end : text_truncated_end;
    end.copy(bytes_.data() + size_, end.size());
    size_ += end.size();
    return {bytes_.data(), size_};
  }

 private:
  static constexpr std::string_view json_truncated_end = ",\"truncated\":\"true\"}\n";
  static constexpr std::string_view text_truncated_end = " truncated=true\n";

  void append(std::string_view text) {
    if (truncated_ || text.size() > bytes_.size() - json_truncated_end.size() - size_) {
      truncated_ = true;
      return;
    }
    text.copy(bytes_.data() + size_, text.size());
    size_ += text.size();
  }

  void append_escaped(std::string_view text) {
    while (!text.empty() && !truncated_) {
      const std::size_t length = utf8_sequence(text);
      const auto first = static_cast<unsigned char>(text[0]);
      if (length == 0) {
        append("\\ufffd");
      } else if (first == '"' || first == '\\') {
        append("\\");
        append(text.substr(0, 1));
      } else if (starts_with_control(text)) {
        // Of two bytes, the second is the character's number.
        const auto number = static_cast<unsigned char>(text[length - 1]);
        std::array<char, 7> escape{};
        std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(number));
        append(escape.data());
      } else {
        append(text.substr(0, length));
      }
      text.remove_prefix(length == 0 ? 1 : length);
    }
  }

  LogFormat format_;
  bool truncated_ = false;
  std::size_t size_ = 0;
  std::array<char, line_bytes_max> bytes_;
};

// RFC 3339 in UTC with milliseconds: 2031-05-04T03:02:01.007Z
std::array<char, 32> now_text() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + size, text.size() - size, ".%03dZ",
                static_cast<int>(now.tv_nsec / 1'000'000));
  return text;
}

// False when the line could not be taken at once and whole. A pipe whose reader has gone shows an
// error beside POLLOUT; writing to it would raise SIGPIPE.
bool write_at_once(int descriptor, std::string_view line) {
  pollfd target{descriptor, POLLOUT, 0};
  if (poll(&target, 1, 0) != 1 || target.revents != POLLOUT) return false;
  return ::write(descriptor, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

}  // namespace

Log::Log(const Settings::Log& settings, Counter& dropped, int descriptor)
    : level_(settings.level),
      tells_requests_(settings.requests),
      format_(settings.format),
      dropped_(dropped),
      descriptor_(descriptor) {}

void Log::adopt(const Settings::Log& settings) {
  level_ = settings.level;
  tells_requests_ = settings.requests;
}

void Log::debug(std::string_view component, std::string_view message,
                std::initializer_list<LogField> fields) {
  write(LogLevel::debug, component, message, fields);
}

void Log::info(std::string_view component, std::string_view message,
               std::initializer_list<LogField> fields) {
  write(LogLevel::info, component, message, fields);
}

void Log::warn(std::string_view component, std::string_view message,
               std::initializer_list<LogField> fields) {
  write(LogLevel::warn, component, message, fields);
}

void Log::error(std::string_view component, std::string_view message,
                std::initializer_list<LogField> fields) {
  write(LogLevel::error, component, message, fields);
}

void Log::write(LogLevel level, std::string_view component, std::string_view message,
                std::span<const LogField> fields) {
  if (level < level_) return;
  Line line(format_);
  line.open(now_text().data(), to_string(level));
  if (!loop_.empty()) line.add("loop", loop_);
  line.add("component", component);
  line.add("message", message);
  for (const LogField& field : fields) line.add(field.key, field.value);
  if (!write_at_once(descriptor_, line.close())) dropped_.increment();
}

}  // namespace fetchmill::config
