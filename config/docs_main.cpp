// fetchmill_docs ROOT: writes the generated files below ROOT, the root of the repository.
#include "config/docs.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fetchmill_docs ROOT\n";
    return 2;
  }
  for (const auto& [path, text] : fetchmill::config::generated_files()) {
    const std::filesystem::path target = std::filesystem::path(argv[1]) / path;
    std::error_code ignored;  // seen below, when the file cannot be written
    std::filesystem::create_directories(target.parent_path(), ignored);
    std::ofstream file(target, std::ios::binary);
    file << text;
    file.close();
    if (!file) {
      std::cerr << "cannot write " << target << '\n';
      return 1;
    }
  }
  return 0;
}
