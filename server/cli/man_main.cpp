// fetchmill_man FILE: writes the man page to FILE.
#include "server/cli/man_page.hpp"

#include <fstream>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fetchmill_man FILE\n";
    return 2;
  }
  std::ofstream file(argv[1], std::ios::binary);
  file << fetchmill::server::cli::man_page();
  file.close();
  if (file) return 0;
  std::cerr << "cannot write " << argv[1] << '\n';
  return 1;
}
