// What /proc says about processes, and what can be done to one from outside.
#pragma once

#include <random>
#include <vector>

#include <sys/types.h>

namespace fetchmill::tests::fault {

using Random = std::mt19937_64;

// Also those that ended and were not waited for.
std::vector<pid_t> children(pid_t parent);
std::vector<pid_t> descendants(pid_t parent);
// R, S, T, Z …; '-' when it is gone.
char state_of(pid_t pid);
// It runs or could: neither gone, nor ended, nor stopped.
bool living(pid_t pid);
std::size_t descriptor_count(pid_t pid);

// Random words where a worker tells the loop how much it answered and whose answers they are:
// nothing that a sane reader could take for an answer. False when the system does not allow it.
bool forge_answers(pid_t worker, Random& random);

}  // namespace fetchmill::tests::fault
