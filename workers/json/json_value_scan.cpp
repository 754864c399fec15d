#include "workers/json/json_value_scan.hpp"

#include <algorithm>

#include <simdjson.h>

namespace fetchmill::workers::json {
namespace {

// The length of the character that this byte begins; 1 also for bytes that begin none.
std::size_t character_bytes(char lead) {
  const auto c = static_cast<unsigned char>(lead);
  if (c >= 0xF0) return 4;
  if (c >= 0xE0) return 3;
  return c >= 0xC0 ? 2 : 1;
}

// How many bytes at the end begin a character that is not all there.
std::size_t cut_bytes(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const char c = text[text.size() - back];
    if ((static_cast<unsigned char>(c) & 0xC0U) == 0x80U) continue;
    return character_bytes(c) > back ? back : 0;
  }
  return 0;
}

}  // namespace

bool JsonValueScan::feed(std::string_view piece) {
  good_ = good_ && feed_utf8(piece) && machine_.feed(piece) == piece.size();
  return good_;
}

bool JsonValueScan::finish() {
  good_ = good_ && partial_bytes_ == 0 && machine_.complete();
  return good_;
}

bool JsonValueScan::feed_utf8(std::string_view piece) {
  while (partial_bytes_ > 0 && !piece.empty()) {
    partial_[partial_bytes_++] = piece.front();
    piece.remove_prefix(1);
    if (partial_bytes_ < character_bytes(partial_[0])) continue;
    if (!simdjson::validate_utf8(partial_.data(), partial_bytes_)) return false;
    partial_bytes_ = 0;
  }
  const std::size_t cut = cut_bytes(piece);
  const std::string_view whole = piece.substr(0, piece.size() - cut);
  if (cut > 0) {
    std::copy(piece.end() - static_cast<std::ptrdiff_t>(cut), piece.end(), partial_.begin());
    partial_bytes_ = cut;
  }
  return simdjson::validate_utf8(whole.data(), whole.size());
}

}  // namespace fetchmill::workers::json
