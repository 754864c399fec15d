// Two times, measured by themselves while other threads keep every core busy: from a task's
// deadline to its outcome at the client, and from the loss of workers to the next right answer.
#pragma once

#include "tests/fault/client.hpp"
#include "tests/fault/options.hpp"
#include "tests/fault/server_process.hpp"

#include <array>
#include <cstdint>

namespace fetchmill::tests::fault {

enum class Probe : std::uint8_t {
  deadline,    // an exchange's deadline → its outcome
  timeout,     // workers.task_timeout_ms → its outcome
  outlived,    // the deadline of what runs on, on all workers → next answer
  one_killed,  // one worker killed → next answer
  all_killed,  // all workers killed → next answer
};
inline constexpr std::size_t probe_count = 5;

using ProbeTimes = std::array<Times, probe_count>;  // by Probe

const char* to_string(Probe probe);
// What Times::all_but_few() may be on a build that is not slow.
Milliseconds bound(Probe probe);

// Requires: no other load. A round that gets no answer is a broken promise.
ProbeTimes probe(Load& load, const ServerProcess& server, const Options& options);

}  // namespace fetchmill::tests::fault
