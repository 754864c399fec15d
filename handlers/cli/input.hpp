// What a command reads: a file or standard input.
//
// Owner: the command. Process: loop; the file is opened before there is one. Errors:
// invalid_request, in words for people.
#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"
#include "handlers/cli/orders.hpp"
#include "handlers/engine.hpp"
#include "server/activity.hpp"
#include "server/coroutine.hpp"
#include "server/shared_descriptor.hpp"
#include "workers/fd.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace fetchmill::handlers::cli {

// Of files that options name.
ReadFile file_reader(const config::Settings& settings);

class Input {
 public:
  // "-" is standard input.
  static config::Result<Input> open(const std::string& path);

  int descriptor() const { return file_ ? file_.get() : STDIN_FILENO; }
  // What messages call it.
  const std::string& name() const { return name_; }
  // What is left to read of a regular file.
  std::optional<std::uint64_t> bytes_left() const;
  // Tells who is to type it, at a terminal.
  void ask(const std::string& request) const;

 private:
  workers::Fd file_;  // none: standard input
  std::string name_;
};

// Reads it on the loop. Lifetime: within the input's.
class InputStream {
 public:
  InputStream(Engine& engine, const Input& input)
      : descriptor_(engine.poller(), engine.app().turns, input.descriptor()) {}

  // Some bytes; 0 at the end. Errors: also what interrupted the activity.
  server::Task<config::Result<std::size_t>> read(server::Activity& activity, std::span<char> into);
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  server::SharedDescriptor descriptor_;
  std::uint64_t bytes_read_ = 0;
};

}  // namespace fetchmill::handlers::cli
