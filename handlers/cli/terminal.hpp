// The progress of a batch on standard error, where that is a terminal; else nothing is shown.
//
// Owner: the batch's sequence. Process: loop; a terminal that takes nothing is not waited for.
#pragma once

#include "handlers/cli/progress.hpp"

#include <string>
#include <string_view>

namespace fetchmill::handlers::cli {

// To standard error.
void say(const std::string& text);

// Whether people see what is written there, and a terminal acts on it.
bool is_terminal(int descriptor);

class Terminal {
 public:
  Terminal();

  bool is_shown() const { return shown_; }
  // Writes the line over the last one.
  void draw(const BatchRun::Counts& counts, std::optional<Total> total, Seconds elapsed);
  // Makes room for what others write.
  void clear();

 private:
  static void write(std::string_view text);

  const bool shown_;
  bool drawn_ = false;
  Rate rate_;
};

}  // namespace fetchmill::handlers::cli
