#include "workers/in_child.hpp"

#include "workers/child_setup.hpp"
#include "workers/fd.hpp"
#include "workers/wait_for_end.hpp"

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

// In the place of a field behind the last error of one thing, so that silence is not taken for
// success.
constexpr std::string_view told_all = ".";

// Field and detail, each with a zero behind it.
std::string encoded_errors(const std::vector<Error>& errors) {
  std::string text;
  for (const Error& error : errors)
    for (const std::string* part : {&error.field, &error.detail}) (text += part->c_str()) += '\0';
  (text += told_all) += '\0';
  return text;
}

std::string take_part(std::string_view& text) {
  std::string part(text.substr(0, text.find('\0')));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

void tell_all(int to, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(to, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

[[noreturn]] void tell_in_child(std::size_t things, const FindErrors& find, int to, pid_t parent) {
  tie_to_parent(parent);
  try {
    for (std::size_t at = 0; at < things; ++at) tell_all(to, encoded_errors(find(at)));
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

std::vector<Error> found_in_child(const std::vector<std::string>& fields, const FindErrors& find) {
  std::vector<Error> errors;
  std::size_t told = 0;  // of what the fields stand for
  const auto failed = [&](std::string detail) {
    errors.emplace_back(ErrorCode::internal_error, std::move(detail), fields[told]);
    return errors;
  };
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed(std::string("pipe: ") + std::strerror(errno));
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return failed(std::string("fork: ") + std::strerror(errno));
  if (pid == 0) tell_in_child(fields.size(), find, theirs.get(), parent);
  theirs.reset();
  const std::string text = read_to_end(ours.get());
  const int status = wait_for_end(pid);
  for (std::string_view rest = text; !rest.empty();) {
    std::string field = take_part(rest);
    if (field == told_all)
      ++told;
    else
      errors.emplace_back(ErrorCode::invalid_request, take_part(rest), std::move(field));
  }
  if (told == fields.size()) return errors;
  return failed(WIFSIGNALED(status)
                    ? "checking it ended with signal " + std::to_string(WTERMSIG(status))
                    : "checking it ended with exit code " + std::to_string(WEXITSTATUS(status)));
}

}  // namespace fetchmill::workers
