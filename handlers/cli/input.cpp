#include "handlers/cli/input.hpp"

#include "config/read_file.hpp"
#include "handlers/cli/terminal.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fetchmill::handlers::cli {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Task;
using server::Transfer;

ReadFile file_reader(const config::Settings& settings) {
  return [bytes_max = settings.server.max_body_bytes](const std::string& path) {
    return config::read_file_up_to(path == "-" ? "/dev/stdin" : path, bytes_max);
  };
}

Result<Input> Input::open(const std::string& path) {
  Input input;
  const bool is_file = path != "-";
  input.name_ = is_file ? path : "standard input";
  if (is_file) input.file_ = workers::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status {};
  const bool opened = input.file_ || !is_file;
  int error = opened && ::fstat(input.descriptor(), &status) == 0 ? 0 : errno;
  if (error == 0 && S_ISDIR(status.st_mode)) error = EISDIR;
  if (error == 0) return input;
  return Error(ErrorCode::invalid_request, (is_file ? "the file '" + path + '\'' : input.name_) +
                                               " cannot be read: " + std::strerror(error));
}

std::optional<std::uint64_t> Input::bytes_left() const {
  struct stat status {};
  if (::fstat(descriptor(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const off_t at = std::max<off_t>(::lseek(descriptor(), 0, SEEK_CUR), 0);
  return static_cast<std::uint64_t>(std::max<off_t>(status.st_size - at, 0));
}

void Input::ask(const std::string& request) const {
  if (is_terminal(descriptor()) && is_terminal(STDERR_FILENO)) say(request);
}

Task<Result<std::size_t>> InputStream::read(server::Activity& activity, std::span<char> into) {
  Task<Transfer> reading = descriptor_.read(activity, into);
  const Transfer transfer = co_await reading;
  if (activity.interrupted()) co_return Error(activity.why());
  if (transfer.error != 0)
    co_return Error(ErrorCode::invalid_request,
                    std::string("the input cannot be read: ") + std::strerror(transfer.error));
  bytes_read_ += transfer.bytes;
  co_return transfer.bytes;
}

}  // namespace fetchmill::handlers::cli
