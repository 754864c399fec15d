// fetchmill_ops_docs FOLDER: writes ops.md there, and image-ops.md if this build has those ops.
#include "workers/ops/docs/ops_markdown.hpp"

#include <fstream>
#include <iostream>
#include <string>

namespace {

bool write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) std::cerr << "cannot write " << path << '\n';
  return file.good();
}

}  // namespace

int main(int argc, char** argv) {
  namespace ops = fetchmill::workers::ops;
  if (argc != 2) {
    std::cerr << "usage: fetchmill_ops_docs FOLDER\n";
    return 2;
  }
  const std::string folder = argv[1];
  const std::string of_images = ops::image_ops_markdown();
  const bool written = write(folder + "/ops.md", ops::ops_markdown()) &&
                       (of_images.empty() || write(folder + "/image-ops.md", of_images));
  return written ? 0 : 1;
}
