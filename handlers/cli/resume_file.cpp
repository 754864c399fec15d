#include "handlers/cli/resume_file.hpp"

#include "handlers/line_reader.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fetchmill::handlers::cli {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

Error unusable(const std::string& path, std::string_view why) {
  return Error(ErrorCode::invalid_request, "the file '" + path + "' " + std::string(why), "resume");
}

Error cannot_be_written(const std::string& path) {
  return unusable(path, std::string("cannot be written: ") + std::strerror(errno));
}

bool write_all(int file, std::string_view bytes) {
  return ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
}

}  // namespace

Result<ResumeFile> open_resume_file(const std::string& path, const std::string& order_line) {
  workers::Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666));
  if (!file) return unusable(path, std::string("cannot be opened: ") + std::strerror(errno));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return unusable(path, "is no regular file, so it cannot be gone on with");
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return unusable(path, "is being written by another fetchmill");

  ResumeFile resume{std::move(file), {}};
  LineReader lines;
  std::array<char, 64 * 1024> piece;
  off_t bytes_read = 0;
  off_t whole_lines = 0;
  bool is_of_another_order = false;
  for (;;) {
    const ssize_t count = ::read(resume.file.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unusable(path, std::string("cannot be read: ") + std::strerror(errno));
    if (count == 0) break;
    const std::string_view bytes(piece.data(), static_cast<std::size_t>(count));
    if (bytes_read == 0 && !ResumeIndex::looks_like_outcomes(bytes))
      return unusable(path, "holds something else than the outcomes of a batch");
    if (const std::size_t end = bytes.rfind('\n'); end != std::string_view::npos)
      whole_lines = bytes_read + static_cast<off_t>(end) + 1;
    bytes_read += count;
    lines.feed(bytes, [&](const LineReader::Line& line) {
      resume.index.add(line.text);
      if (line.number != 1) return;
      resume.tells_order = ResumeIndex::is_order_line(line.text);
      is_of_another_order = resume.tells_order && line.text != order_line;
    });
    if (is_of_another_order)
      return unusable(path,
                      "has the results of another op, pipeline, method or body, which its first "
                      "line tells: ask for the same, or name another file");
  }
  if (whole_lines != bytes_read && ::ftruncate(resume.file.get(), whole_lines) != 0)
    return cannot_be_written(path);
  ::lseek(resume.file.get(), 0, SEEK_END);
  if (whole_lines == 0 && !write_all(resume.file.get(), order_line + '\n'))
    return cannot_be_written(path);
  return resume;
}

}  // namespace fetchmill::handlers::cli
