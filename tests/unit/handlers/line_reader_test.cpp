#include "handlers/line_reader.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

std::string read(std::string_view stream, std::size_t piece_bytes) {
  std::string said;
  LineReader reader;
  const auto visit = [&](const LineReader::Line& line) {
    said += std::to_string(line.number) + (line.too_long ? "!" : ":");
    said += line.text.size() < 100 ? std::string(line.text) : std::to_string(line.text.size());
    said += '|';
  };
  while (!stream.empty()) {
    const std::size_t bytes = std::min(piece_bytes, stream.size());
    reader.feed(stream.substr(0, bytes), visit);
    stream.remove_prefix(bytes);
  }
  reader.finish(visit);
  return said;
}

TEST(LineReader, CutsLinesWhateverThePieces) {
  const struct {
    std::string_view stream, said;
  } cases[] = {
      {"", ""},
      {"a", "1:a|"},
      {"a\n", "1:a|"},
      {"a\nb", "1:a|2:b|"},
      {"\n\na\r\n\r\nb\r", "1:|2:|3:a|4:|5:b|"},
      {"a\rb\n", "1:a\rb|"},
      {"\xef\xbb\xbfx\ny", "1:x|2:y|"},
      {"\xef\xbb\xbf\r\n", "1:|"},
      {"a\n\xef\xbb\xbf", "1:a|2:\xef\xbb\xbf|"},
  };
  for (const auto& c : cases)
    for (const std::size_t piece_bytes : {1, 2, 3, 100})
      EXPECT_EQ(read(c.stream, piece_bytes), c.said) << c.stream << " in " << piece_bytes;
}

TEST(LineReader, BoundsALine) {
  const std::string fits(line_bytes_max, 'x');
  const std::string size = std::to_string(line_bytes_max);
  for (const std::size_t piece_bytes : {std::size_t{1000}, std::size_t{1} << 22}) {
    EXPECT_EQ(read(fits + "\nb\n", piece_bytes), "1:" + size + "|2:b|");
    EXPECT_EQ(read(fits + "x\nb\n", piece_bytes), "1!" + size + "|2:b|");
    EXPECT_EQ(read(fits + fits + fits, piece_bytes), "1!" + size + "|");
  }
}

}  // namespace
}  // namespace fetchmill::handlers
