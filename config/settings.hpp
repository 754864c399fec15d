// The settings as plain structs, generated from settings.def: settings.server.listen,
// settings.fetch.max_bytes, …
//
// Owner: server/main.cpp, which loads them once (config/load.hpp) and passes sections down by
// reference. Process: all. Bytes: sizes in bytes unless the name ends in _mb (MiB); times in the
// unit of the name's end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::config {

inline constexpr std::uint64_t KiB = 1024;
inline constexpr std::uint64_t MiB = 1024 * KiB;
inline constexpr std::uint64_t GiB = 1024 * MiB;

// The least workers.region_mb for bodies of this size. Shared memory holds three of the largest and
// what stands beside them (the proof is in workers/slots.cpp), or none could be promised its end.
constexpr std::uint64_t region_mb_min(std::uint64_t body_bytes_max) {
  return (3 * body_bytes_max + MiB - 1) / MiB + 1;
}

// A list of C++ names as the words that people write.
template <std::size_t size>
constexpr std::array<char, size> with_hyphens(const char (&names)[size]) {
  std::array<char, size> words{};
  for (std::size_t i = 0; i < size; ++i) words[i] = names[i] == '_' ? '-' : names[i];
  return words;
}
// The word at `index` of an ENUM's list "a, b, c"; empty past its end.
std::string_view choice_at(std::string_view choices, std::size_t index);

// Whether [section.NAME] may be called that.
bool is_entry_name(std::string_view text);

#define ENUM(Type, ...)                                                                           \
  enum class Type : std::uint8_t { __VA_ARGS__ };                                                 \
  inline constexpr auto Type##_words = with_hyphens(#__VA_ARGS__);                                \
  inline constexpr std::string_view Type##_choices{Type##_words.data(), Type##_words.size() - 1}; \
  std::string_view to_string(Type value);
#include "config/settings.def"

struct Settings {
#define SECTION(section, Type, text) struct Type {
#define END_SECTION(section) \
  }                          \
  section;
#define TABLE(member, section, Type, text) \
  struct Type {                            \
    std::string entry_name; /* of [section.NAME] */
#define END_TABLE(member, Type) \
  }                             \
  ;                             \
  std::vector<Type> member;
#define UINT(section, name, default_value, min, max, unit, text) std::uint64_t name = default_value;
#define FLAG(section, name, default_value, text) bool name = default_value;
#define TEXT(section, name, form, default_value, text) std::string name = default_value;
#define SECRET(section, name, form, text) std::string name;
#define LIST(section, name, form, text) std::vector<std::string> name;
#define CHOICE(section, name, Type, default_value, text) Type name = Type::default_value;
#include "config/settings.def"
};

}  // namespace fetchmill::config
