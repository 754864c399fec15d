// Lines of running text as they are made from a page: white space collapses, blocks ask for line
// ends, and every line of a block inside others begins with their prefix.
//
// Owner: the walk that writes. Bytes: `out` gets UTF-8 if it is given UTF-8.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace fetchmill::workers::ops {

class HtmlFlow {
 public:
  explicit HtmlFlow(std::string& out) : out_(out) {}

  // At least so many line ends before what comes next: 1 a new line, 2 an empty line between.
  void require_lines(unsigned count) {
    lines_ = std::max(lines_, count);
    space_ = false;
  }
  // A line end of its own, besides those that are required.
  void line_break() {
    flush();
    space_ = false;
    out_ += '\n';
    out_ += prefix_;
    line_start_ = true;
  }
  // White space: shows only between two pieces of text on one line.
  void space() { space_ = !line_start_ && lines_ == 0; }
  // Text that has no white space to collapse.
  void put(std::string_view text) {
    flush();
    if (space_) out_ += ' ';
    space_ = false;
    out_ += opening_;
    opening_.clear();
    out_ += text;
    line_start_ = false;
  }
  // Behind what was written last, with no space between.
  void put_at_end(std::string_view text) { out_ += text; }
  // What is at hand only if something follows before close(): "**", "[".
  void open(std::string_view mark) { opening_ += mark; }
  // Behind what was written last, before any space. Nothing when nothing followed open().
  void close(std::string_view opened, std::string_view mark) {
    if (opening_.ends_with(opened))
      opening_.resize(opening_.size() - opened.size());
    else
      out_ += mark;
  }
  // On the next line `marker`, behind it spaces of its width. Ask for a new line first.
  void begin_item(std::string_view marker) {
    item_ += marker;
    prefix_.append(marker.size(), ' ');
  }
  void end_item(std::size_t marker_size) {
    if (!item_.empty()) flush();  // an empty item shows its marker
    drop_prefix(marker_size);
  }
  void begin_prefix(std::string_view text) {
    if (!item_.empty()) item_ += text;
    prefix_ += text;
  }
  void end_prefix(std::size_t size) {
    if (!item_.empty()) item_.resize(item_.size() - size);
    drop_prefix(size);
  }
  bool at_line_start() const { return line_start_ || lines_ > 0; }
  std::size_t size() const { return out_.size(); }

 private:
  void drop_prefix(std::size_t size) {
    prefix_.resize(prefix_.size() - size);
    shared_ = std::min(shared_, prefix_.size());
  }
  // Begins a line if one is due.
  void flush() {
    if (lines_ > 0 && !out_.empty()) {
      for (unsigned i = 1; i < lines_; ++i) {
        out_ += '\n';
        out_ += without_trailing_space(std::string_view(prefix_).substr(0, shared_));
      }
      out_ += '\n';
    }
    if (lines_ > 0 || out_.empty()) {
      out_ += prefix_before_item();
      out_ += item_;
      item_.clear();
      line_start_ = true;
    }
    lines_ = 0;
    shared_ = prefix_.size();
  }
  std::string_view prefix_before_item() const {
    return std::string_view(prefix_).substr(0, prefix_.size() - item_.size());
  }
  static std::string_view without_trailing_space(std::string_view text) {
    return text.substr(0, text.find_last_not_of(' ') + 1);
  }

  std::string& out_;
  std::string prefix_;
  std::string item_;        // what the next line has in place of the prefix's end
  std::size_t shared_ = 0;  // how much of the prefix the line before has too: empty lines get that
  std::string opening_;     // marks that wait for text
  unsigned lines_ = 0;
  bool space_ = false;
  bool line_start_ = true;
};

}  // namespace fetchmill::workers::ops
