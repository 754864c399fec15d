// Cuts a stream into lines, whatever pieces it comes in. A byte order mark before the first is left
// out. Pure.
//
// Bytes: holds at most one unfinished line, of at most line_bytes_max. Trust: everything comes from
// the client.
#pragma once

#include "workers/json/json_text.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fetchmill::handlers {

inline constexpr std::size_t line_bytes_max = 1024 * 1024;

class LineReader {
 public:
  struct Line {
    std::uint64_t number;   // from 1
    std::string_view text;  // without its end, LF or CR LF; the first bytes of one that is too long
    bool too_long;
  };

  // Calls `visit(Line)` for each line that ends in `bytes`.
  template <class Visit>
  void feed(std::string_view bytes, Visit visit) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      const std::string_view piece = bytes.substr(0, end);
      const bool whole = end != std::string_view::npos && held_.empty() && !too_long_;
      if (whole && piece.size() <= line_bytes_max)
        visit(make_line(piece));
      else
        hold(piece);
      if (end == std::string_view::npos) return;
      if (!whole || piece.size() > line_bytes_max) give_held(visit);
      bytes.remove_prefix(end + 1);
    }
  }
  // The end of the stream: a last line may lack its end.
  template <class Visit>
  void finish(Visit visit) {
    if (!held_.empty() || too_long_) give_held(visit);
  }

  // Of the line that comes next.
  std::uint64_t next_number() const { return number_ + 1; }

 private:
  Line make_line(std::string_view text) {
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (++number_ == 1) text = workers::json::without_bom(text);
    return {number_, text, too_long_};
  }
  void hold(std::string_view piece) {
    const std::size_t room = line_bytes_max - held_.size();
    too_long_ = too_long_ || piece.size() > room;
    held_.append(piece.substr(0, room));
  }
  template <class Visit>
  void give_held(Visit& visit) {
    visit(make_line(held_));
    held_.clear();
    too_long_ = false;
  }

  std::string held_;
  std::uint64_t number_ = 0;
  bool too_long_ = false;
};

}  // namespace fetchmill::handlers
