// The committed files that derive from the tables. fetchmill_docs writes them, a test fails when
// they are out of step.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::config {

std::string errors_markdown();
std::string metrics_markdown();

struct GeneratedFile {
  std::string_view path;  // from the root of the repository
  std::string text;
};

std::vector<GeneratedFile> generated_files();

}  // namespace fetchmill::config
