#include "workers/in_child.hpp"

#include "workers/child_setup.hpp"
#include "workers/fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string_view>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

using config::Error;
using config::ErrorCode;

// Behind the last error, so that silence is not taken for success.
constexpr char told_all = '.';

// Field and detail, each with a zero behind it.
std::string encoded_errors(const std::vector<Error>& errors) {
  std::string text;
  for (const Error& error : errors)
    for (const std::string* part : {&error.field, &error.detail}) (text += part->c_str()) += '\0';
  return text + told_all;
}

std::string take_part(std::string_view& text) {
  const std::string part(text.substr(0, text.find('\0')));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

std::vector<Error> decoded_errors(std::string_view text) {
  std::vector<Error> errors;
  while (text.size() > 1) {
    std::string field = take_part(text);
    errors.emplace_back(ErrorCode::invalid_request, take_part(text), std::move(field));
  }
  return errors;
}

[[noreturn]] void tell_in_child(const std::function<std::vector<Error>()>& find, int tell,
                                pid_t parent) {
  tie_to_parent(parent);
  try {
    const std::string text = encoded_errors(find());
    std::string_view rest = text;
    while (!rest.empty()) {
      const ssize_t written = ::write(tell, rest.data(), rest.size());
      if (written <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  } catch (const std::exception&) {
    ::_exit(exit_out_of_memory);
  }
  ::_exit(exit_ok);
}

std::string read_to_end(int fd) {
  std::string text;
  char piece[4096];
  ssize_t got = 0;
  while ((got = ::read(fd, piece, sizeof piece)) > 0)
    text.append(piece, static_cast<std::size_t>(got));
  return text;
}

}  // namespace

std::vector<Error> found_in_child(const std::string& field,
                                  const std::function<std::vector<Error>()>& find) {
  const auto failed = [&field](std::string detail) {
    return std::vector{Error(ErrorCode::internal_error, std::move(detail), field)};
  };
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed(std::string("pipe: ") + std::strerror(errno));
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return failed(std::string("fork: ") + std::strerror(errno));
  if (pid == 0) tell_in_child(find, theirs.get(), parent);
  theirs.reset();
  const std::string text = read_to_end(ours.get());
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (text.ends_with(told_all)) return decoded_errors(text);
  return failed(WIFSIGNALED(status)
                    ? "checking it ended with signal " + std::to_string(WTERMSIG(status))
                    : "checking it ended with exit code " + std::to_string(WEXITSTATUS(status)));
}

}  // namespace fetchmill::workers
