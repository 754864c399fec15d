// fetchmill_ops_docs FILE: writes docs/ops.md there.
#include "workers/ops/docs/ops_markdown.hpp"

#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fetchmill_ops_docs FILE\n";
    return 2;
  }
  std::ofstream file(argv[1], std::ios::binary);
  file << fetchmill::workers::ops::ops_markdown();
  file.close();
  if (file) return 0;
  std::cerr << "cannot write " << argv[1] << '\n';
  return 1;
}
