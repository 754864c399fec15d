#include "config/utf8.hpp"
#include "workers/ops/charset.hpp"
#include "workers/ops/op.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include <iconv.h>
#include <simdjson.h>

namespace fetchmill::workers::ops {
namespace {

constexpr std::string_view replacement_character = "\xef\xbf\xbd";
// Between looks at how long the output has become; no encoding makes more than four bytes of one.
constexpr std::size_t block_bytes = 64UL * 1024;

// How many bytes of ill-formed UTF-8 become one U+FFFD: the longest start of a sequence (Unicode,
// "maximal subpart"). 0: all of `text` is the start of one, and more may follow.
std::size_t ill_formed_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0xc2 || first > 0xf4) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return 0;
    if (byte(i) < low || byte(i) > high) return i;
    low = 0x80;
    high = 0xbf;
  }
  return length;  // well-formed after all
}

// windows-1252, 0x80 to 0x9f.
constexpr std::array<std::uint16_t, 32> windows_1252_high = {
    0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008d, 0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178};

unsigned from_windows_1252(unsigned char byte) {
  return byte < 0xa0 ? windows_1252_high[byte - 0x80U] : byte;
}

unsigned from_user_defined(unsigned char byte) {
  return 0xf700U + byte;
}

}  // namespace

class CharsetDecoder::Machine {
 public:
  Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  virtual ~Machine() = default;
  virtual void feed(std::string_view block, std::string& out) = 0;
  virtual void finish(std::string& out) = 0;
};

class CharsetDecoder::Utf8Machine final : public Machine {
 public:
  void feed(std::string_view block, std::string& out) override {
    if (held_.empty() && simdjson::validate_utf8(block.data(), block.size())) {
      out += block;
      return;
    }
    std::string joined;
    if (!held_.empty()) {
      joined = held_;
      joined += block;
      block = joined;
    }
    held_.clear();
    while (!block.empty()) {
      std::size_t good = 0;
      while (const std::size_t length = config::utf8_sequence(block.substr(good))) good += length;
      out += block.substr(0, good);
      block.remove_prefix(good);
      if (block.empty()) return;
      const std::size_t bad = ill_formed_bytes(block);
      if (bad == 0) {
        held_ = block;
        return;
      }
      out += replacement_character;
      block.remove_prefix(bad);
    }
  }
  void finish(std::string& out) override {
    if (!held_.empty()) out += replacement_character;
    held_.clear();
  }

 private:
  std::string held_;  // the start of a sequence that the next block may complete
};

// ASCII, and one character per byte above it.
class CharsetDecoder::ByteMachine final : public Machine {
 public:
  explicit ByteMachine(unsigned (*code_point)(unsigned char byte)) : code_point_(code_point) {}

  void feed(std::string_view block, std::string& out) override {
    for (const char c : block) {
      if (const auto byte = static_cast<unsigned char>(c); byte < 0x80)
        out += c;
      else
        config::append_utf8(out, code_point_(byte));
    }
  }
  void finish(std::string&) override {}

 private:
  unsigned (*code_point_)(unsigned char byte);
};

// The encodings that the standard gives up for their dangers: anything is one error.
class CharsetDecoder::ReplacementMachine final : public Machine {
 public:
  void feed(std::string_view block, std::string& out) override {
    if (!block.empty() && !failed_) out += replacement_character;
    failed_ = failed_ || !block.empty();
  }
  void finish(std::string&) override {}

 private:
  bool failed_ = false;
};

class CharsetDecoder::IconvMachine final : public Machine {
 public:
  explicit IconvMachine(std::string_view name)
      : iconv_(::iconv_open("UTF-8", name.data())),
        unit_bytes_(name.starts_with("UTF-16") ? 2 : 1) {}
  ~IconvMachine() override {
    if (is_open()) ::iconv_close(iconv_);
  }

  void feed(std::string_view block, std::string& out) override {
    std::string joined;
    if (!held_.empty()) {
      joined = held_;
      joined += block;
      block = joined;
    }
    held_.clear();
    char* from = const_cast<char*>(block.data());  // iconv does not write there
    std::size_t left = block.size();
    while (left > 0) {
      const int problem = convert(from, left, out);
      if (problem == 0) break;
      if (problem == EINVAL) {
        held_.assign(from, left);
        break;
      }
      if (problem == E2BIG) continue;
      // One unit is skipped: what follows it may be a character of its own.
      out += replacement_character;
      const std::size_t skipped = std::min(unit_bytes_, left);
      from += skipped;
      left -= skipped;
    }
  }
  void finish(std::string& out) override {
    if (!held_.empty()) out += replacement_character;
    held_.clear();
    std::size_t none = 0;
    char* nothing = nullptr;
    convert(nothing, none, out);  // what a stateful decoder still holds
  }

 private:
  bool is_open() const { return reinterpret_cast<std::intptr_t>(iconv_) != -1; }

  // One call into iconv; its errno, or 0.
  int convert(char*& from, std::size_t& left, std::string& out) {
    if (!is_open()) return left > 0 ? EILSEQ : 0;
    std::array<char, 4096> buffer;
    char* to = buffer.data();
    std::size_t room = buffer.size();
    const std::size_t result = ::iconv(iconv_, from == nullptr ? nullptr : &from,
                                       from == nullptr ? nullptr : &left, &to, &room);
    const int problem = result == static_cast<std::size_t>(-1) ? errno : 0;
    out.append(buffer.data(), buffer.size() - room);
    return problem;
  }

  iconv_t iconv_;
  std::size_t unit_bytes_;
  std::string held_;  // the start of a character that the next block may complete
};

CharsetDecoder::CharsetDecoder(const Charset& charset) {
  switch (charset.kind) {
    case CharsetKind::utf8:
      machine_ = std::make_unique<Utf8Machine>();
      break;
    case CharsetKind::windows_1252:
      machine_ = std::make_unique<ByteMachine>(from_windows_1252);
      break;
    case CharsetKind::user_defined:
      machine_ = std::make_unique<ByteMachine>(from_user_defined);
      break;
    case CharsetKind::replacement:
      machine_ = std::make_unique<ReplacementMachine>();
      break;
    case CharsetKind::iconv:
      machine_ = std::make_unique<IconvMachine>(charset.iconv_name);
      break;
  }
}

CharsetDecoder::CharsetDecoder(CharsetDecoder&&) noexcept = default;
CharsetDecoder& CharsetDecoder::operator=(CharsetDecoder&&) noexcept = default;
CharsetDecoder::~CharsetDecoder() = default;

config::Result<void> CharsetDecoder::feed(std::string_view piece, std::string& out) {
  while (!piece.empty()) {
    const std::string_view block = piece.substr(0, block_bytes);
    machine_->feed(block, out);
    if (out.size() > step_output_bytes_max)
      return config::Error(
          config::ErrorCode::result_too_large,
          "the text is longer than " + std::to_string(step_output_bytes_max) + " bytes in UTF-8");
    piece.remove_prefix(block.size());
  }
  return {};
}

config::Result<void> CharsetDecoder::finish(std::string& out) {
  machine_->finish(out);
  return {};
}

}  // namespace fetchmill::workers::ops
