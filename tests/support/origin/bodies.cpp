#include "tests/support/origin/bodies.hpp"

#include <cstdio>
#include <map>

namespace fetchmill::tests::origin {
namespace {

constexpr std::string_view languages[] = {"en", "de", "fr", "es", "pt"};

std::string record(std::uint64_t id) {
  char text[256];
  const std::uint64_t quarters = id * 37 % 4000;
  const int length = std::snprintf(
      text, sizeof text,
      R"({"id":%llu,"name":"record %llu","score":%llu.%02llu,"lang":"%s","active":%s,)"
      R"("tags":["t%llu","t%llu"],"geo":{"lat":%llu,"lon":%llu}})",
      static_cast<unsigned long long>(id), static_cast<unsigned long long>(id),
      static_cast<unsigned long long>(quarters / 4),
      static_cast<unsigned long long>(quarters % 4 * 25), languages[id * 7 % 5].data(),
      id % 3 == 0 ? "true" : "false", static_cast<unsigned long long>(id % 7),
      static_cast<unsigned long long>(id % 11), static_cast<unsigned long long>(id % 90),
      static_cast<unsigned long long>(id % 180));
  return std::string(text, static_cast<std::size_t>(length));
}

// Made once per size and kept: a load test asks for the same body thousands of times.
template <class Make>
Bytes remembered(std::map<std::uint64_t, Bytes>& kept, std::uint64_t size, Make make) {
  if (const auto found = kept.find(size); found != kept.end()) return found->second;
  if (kept.size() >= 16) kept.clear();
  return kept[size] = bytes(make());
}

// The length of the UTF-8 sequence at `position`; 0 when there is none.
std::size_t utf8_length(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(position);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  if (length == 0 || position + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(position + i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

Bytes plain_bytes(std::uint64_t count) {
  static std::map<std::uint64_t, Bytes> kept;
  return remembered(kept, count, [&] {
    std::string text(count, '\n');
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i % 64 != 63) text[i] = "0123456789abcdef"[i % 16];
    }
    return text;
  });
}

Bytes json_array(std::uint64_t records) {
  static std::map<std::uint64_t, Bytes> kept;
  return remembered(kept, records, [&] {
    std::string text = "[";
    for (std::uint64_t id = 0; id < records; ++id) {
      if (id > 0) text += ',';
      text += record(id);
    }
    return text += ']';
  });
}

Bytes ndjson_lines(std::uint64_t records) {
  static std::map<std::uint64_t, Bytes> kept;
  return remembered(kept, records, [&] {
    std::string text;
    for (std::uint64_t id = 0; id < records; ++id) text += record(id) + '\n';
    return text;
  });
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = utf8_length(text, i);
    if (length == 0) {
      out += "\\ufffd";
      ++i;
      continue;
    }
    if (byte == '"' || byte == '\\') {
      out += {'\\', static_cast<char>(byte)};
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
      out += escape;
    } else {
      out.append(text.substr(i, length));
    }
    i += length;
  }
  return out += '"';
}

}  // namespace fetchmill::tests::origin
