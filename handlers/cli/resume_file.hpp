// The file that `batch --resume` goes on with: read once, then appended to.
//
// Errors: invalid_request, in words for the user: it cannot be opened, is no regular file, holds
// something else than outcomes, its first line is of another order, or another run writes to it.
#pragma once

#include "config/error.hpp"
#include "handlers/cli/resume_index.hpp"
#include "workers/fd.hpp"

#include <string>

namespace fetchmill::handlers::cli {

struct ResumeFile {
  workers::Fd file;  // at its end; locked
  ResumeIndex index;
  bool tells_order = true;  // by its first line
};

// Makes the file where there is none, and begins it with `order_line` (ResumeIndex). Outcomes that
// have no such line above them, because they were written to standard output, may be of anything:
// tells_order is false.
// Cuts off a last line that was not written to its end; its task counts as not done.
config::Result<ResumeFile> open_resume_file(const std::string& path, const std::string& order_line);

}  // namespace fetchmill::handlers::cli
