#include "config/read_file.hpp"

#include <fstream>

namespace fetchmill::config {

std::optional<std::string> read_file(const std::string& path) {
  return read_file_up_to(path, std::size_t{1} << 20);
}

std::optional<std::string> read_file_up_to(const std::string& path, std::size_t bytes_max) {
  constexpr std::size_t piece_bytes = 64 * 1024;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text;
  // By read(), which turns what the buffer throws at a failed read into badbit; an iterator over
  // the buffer lets it through.
  while (file && text.size() <= bytes_max) {
    const std::size_t read = text.size();
    text.resize(read + piece_bytes);
    file.read(text.data() + read, piece_bytes);
    text.resize(read + static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad() || text.size() > bytes_max) return std::nullopt;
  return text;
}

}  // namespace fetchmill::config
