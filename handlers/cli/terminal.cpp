#include "handlers/cli/terminal.hpp"

#include <cstdio>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace fetchmill::handlers::cli {
namespace {

constexpr std::size_t usual_columns = 80;
constexpr std::string_view erase_line = "\r\x1b[K";

std::size_t columns_of(int terminal) {
  winsize size{};
  const bool known = ::ioctl(terminal, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : usual_columns;
}

}  // namespace

void say(const std::string& text) {
  std::fputs(text.c_str(), stderr);
}

bool is_terminal(int descriptor) {
  return ::isatty(descriptor) == 1;
}

Terminal::Terminal() : shown_(is_terminal(STDERR_FILENO)) {}

void Terminal::draw(const BatchRun::Counts& counts, std::optional<Total> total, Seconds elapsed) {
  if (!shown_) return;
  rate_.update(elapsed, counts.ok + counts.failed);
  // The last column stays free: some terminals break the line there.
  const std::size_t columns = columns_of(STDERR_FILENO) - 1;
  write(std::string(erase_line) + progress_line(counts, total, rate_.per_second(), columns));
  drawn_ = true;
}

void Terminal::clear() {
  if (std::exchange(drawn_, false)) write(erase_line);
}

void Terminal::write(std::string_view text) {
  pollfd asked{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&asked, 1, 0) <= 0) return;
  // What is lost is drawn anew in a moment.
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace fetchmill::handlers::cli
