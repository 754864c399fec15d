// Two times, measured by themselves while other processes keep every core busy: from a task's
// deadline to its outcome at the client, and from the death of all workers to the next right
// answer.
#pragma once

#include "tests/fault/client.hpp"
#include "tests/fault/server_process.hpp"

namespace fetchmill::tests::fault {

struct ProbeTimes {
  Times deadline;    // an exchange's deadline → its outcome
  Times timeout;     // workers.task_timeout_ms → its outcome
  Times one_killed;  // one worker killed → next answer
  Times all_killed;  // all workers killed → next answer
};

// Requires: no other load. A round that gets no answer is a broken promise.
ProbeTimes probe(Load& load, const ServerProcess& server, std::uint32_t rounds);

}  // namespace fetchmill::tests::fault
