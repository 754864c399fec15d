// A worker that breaks every rule it can, in some areas; in the others the product's own.
//
// Linked in place of workers/worker_main.cpp by one test program. What it does follows from the
// seed, the area and the generation alone, up to the timing of its races.
#pragma once

#include "workers/sandbox.hpp"
#include "workers/shared_memory.hpp"

#include <cstdint>
#include <string_view>

#include <sys/types.h>

namespace fetchmill::workers {

// What the hostile ones do with a task, or when they start.
enum class Deed : std::uint8_t {
  honest,
  other_bytes,      // a well-formed answer of other bytes
  lie_in_a_field,   // any descriptor field, any value
  other_task,       // in the name of another task
  twice,            // the same answer again
  early,            // an answer more than was asked for
  huge_index,       // the index leaps
  index_back,       // the index goes back
  flicker,          // the index changes faster than it can be read
  change_answer,    // rewrites the descriptor once it is published
  change_output,    // rewrites the result once it is published
  scribble,         // writes all over its memory while it answers
  flood,            // rings without end
  steal_ring,       // empties the bell it rang
  false_sleep,      // says it sleeps while it works
  false_wake,       // says it works while it sleeps
  greedy,           // asks for more output than allowed, or for less than it has
  ungranted,        // asks for output and does not wait for it
  skip,             // skips what nobody cancelled
  bad_failure,      // an error no op may end in, or a text that is none
  bad_line,         // what is not one JSON value on one line
  write_to_inputs,  // tries to change what the loop wrote
  die,
  haunt,  // dies, having made its area say that the next worker is ready, sleeps and has answered
  hoard,  // fills outputs that nobody granted, and dies
  frame,  // ends or lies where the input says so; names the hash of another input than it was asked
          // about, once it had a task
  never,  // does not answer
  count_,
};

struct HostilePlan {
  std::uint64_t seed = 0;
  std::uint32_t areas = 0;   // a bit for each hostile one
  Deed only = Deed::count_;  // besides honest; count_: all of them
  // Each second worker of a hostile area is the product's, and the others report for work as the
  // product does: a lie that an area is caught in is one that the last worker left there.
  bool honest_heirs = false;

  bool hostile(std::uint32_t area, std::uint32_t generation) const {
    return (areas >> area & 1U) != 0 && (!honest_heirs || generation % 2 != 0);
  }
};
// Before the spawner forks: it and its workers inherit this.
void set_plan(const HostilePlan& plan);

// The product's, from the same source under this name.
[[noreturn]] void honest_worker_main(const SharedMemory& memory, std::uint32_t area,
                                     std::uint32_t generation, pid_t parent,
                                     const Sandbox& sandbox);

// The input that ends each worker whose deed is `frame`, and what they answer once they got another
// one refused in its place.
inline constexpr std::string_view deadly_input = "deadly";
inline constexpr std::string_view framed_result = "framed";
// The input that makes each of them lie.
inline constexpr std::string_view lying_input = "lying";

// What a hostile result that passes for one is made of; no honest body holds it.
inline constexpr char devils_byte = '~';
// Of the answers that one leaves behind for tasks which only its successor can be given.
inline constexpr std::string_view ghosts_type = "text/ghost";

}  // namespace fetchmill::workers
