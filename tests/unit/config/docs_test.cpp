#include "config/docs.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(Docs, CommittedFilesAreInStepWithTheTables) {
  for (const auto& [path, text] : generated_files()) {
    std::ifstream file(std::string(FETCHMILL_SOURCE_DIR "/").append(path), std::ios::binary);
    const std::string committed{std::istreambuf_iterator<char>(file), {}};
    EXPECT_TRUE(committed == text) << path << " is out of step: build the target `docs`";
  }
}

// A bar or line break in a row's text would break its table.
TEST(Docs, TablesHaveOneRowPerLine) {
  for (const std::string& text : {errors_markdown(), metrics_markdown()}) {
    std::size_t columns = 0;
    std::size_t at = text.find("| code |");
    if (at == std::string::npos) at = text.find("| metric |");
    while (at < text.size()) {
      const std::string line = text.substr(at, text.find('\n', at) - at);
      const auto bars = static_cast<std::size_t>(std::count(line.begin(), line.end(), '|'));
      if (columns == 0) columns = bars;
      EXPECT_EQ(bars, columns) << line;
      at += line.size() + 1;
    }
  }
}

}  // namespace
}  // namespace fetchmill::config
