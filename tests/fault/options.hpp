// What the fault driver is asked for on its command line.
//
// Errors: parse() prints what is wrong, or the help, and says with which code to exit.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace fetchmill::tests::fault {

struct Options {
  std::string server;  // fetchmill-testing
  std::string origin;  // fetchmill-origin
  std::uint64_t seed = 0;
  std::uint64_t kills = 0;  // 0: as many as fit into `seconds`
  std::uint64_t seconds = 0;
  std::uint32_t clients = 64;
  std::uint32_t workers = 2;
  double rate = 25;  // shots a second, on average
  std::string ways;  // comma-separated; empty: all
  std::uint32_t probes = 100;
  // Bounds on times are relaxed by this: a sanitized build is slower.
  std::uint32_t patience = 1;
  bool verbose = false;
};

std::optional<Options> parse(int count, char** arguments, int& exit_code);

}  // namespace fetchmill::tests::fault
