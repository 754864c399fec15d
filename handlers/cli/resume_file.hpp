// The file that `batch --resume` goes on with: read once, then appended to.
//
// Errors: invalid_request, in words for the user: it cannot be opened, is no regular file, holds
// something else than outcomes, or another run writes to it.
#pragma once

#include "config/error.hpp"
#include "handlers/cli/resume_index.hpp"
#include "workers/fd.hpp"

#include <string>

namespace fetchmill::handlers::cli {

struct ResumeFile {
  workers::Fd file;  // at its end; locked
  ResumeIndex index;
};

// Makes the file where there is none. Cuts off a last line that was not written to its end; its
// task counts as not done.
config::Result<ResumeFile> open_resume_file(const std::string& path);

}  // namespace fetchmill::handlers::cli
