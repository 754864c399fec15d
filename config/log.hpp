// The log: one line per event on stderr, as JSON or text, dropped and counted rather than waited
// for.
//
// Owner: the engine, or the parent of several loops, makes one and passes it by reference.
// Lifetime: the counter outlives the log. Process: loop, and the parent of several, one thread
// each. Bytes: a line has at most 4096 bytes (what a pipe takes whole); longer ones lose their last
// fields and say "truncated". Errors: none; a line that cannot be written at once increments the
// counter. Trust: component, message and fields may hold any bytes; control characters and invalid
// UTF-8 are escaped.
#pragma once

#include "config/metrics.hpp"
#include "config/settings.hpp"

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include <unistd.h>

namespace fetchmill::config {

struct LogField {
  std::string_view key;
  std::string_view value;
};

class Log {
 public:
  // `dropped` is metrics.log_dropped_total.get(). The descriptor is borrowed and its flags stay as
  // they are: they are shared with whoever else holds it.
  Log(const Settings::Log& settings, Counter& dropped, int descriptor = STDERR_FILENO);

  // Every line says from now on which of several loops speaks.
  void speak_as_loop(std::uint32_t number) { loop_ = std::to_string(number); }
  // Takes over what may change: the level, and whether requests get a line.
  void adopt(const Settings::Log& settings);
  // Whether each request gets a line of its own (log.requests).
  bool tells_requests() const { return tells_requests_ && level_ <= LogLevel::info; }

  // `component` is the part that speaks ("pool"), `message` a fixed phrase; what varies goes into
  // fields.
  void debug(std::string_view component, std::string_view message,
             std::initializer_list<LogField> fields = {});
  void info(std::string_view component, std::string_view message,
            std::initializer_list<LogField> fields = {});
  void warn(std::string_view component, std::string_view message,
            std::initializer_list<LogField> fields = {});
  void error(std::string_view component, std::string_view message,
             std::initializer_list<LogField> fields = {});
  void write(LogLevel level, std::string_view component, std::string_view message,
             std::span<const LogField> fields);
  void write(LogLevel level, std::string_view component, std::string_view message,
             std::initializer_list<LogField> fields) {
    write(level, component, message, std::span(fields.begin(), fields.size()));
  }

 private:
  LogLevel level_;
  bool tells_requests_;
  LogFormat format_;
  Counter& dropped_;
  int descriptor_;
  std::string loop_;  // its number; empty for the only one
};

}  // namespace fetchmill::config
