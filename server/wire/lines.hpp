// The first pass over a head: where its lines end, that no line holds a forbidden byte, and its
// sizes.
//
// It runs strictly from left to right and remembers in HeadProgress how far it came, so its answer
// does not depend on how the bytes were cut into pieces.
#pragma once

#include "server/wire/head.hpp"

#include <string_view>

namespace fetchmill::server::wire {

constexpr HeadResult refused(Refusal refusal) {
  return {HeadStatus::refused, refusal};
}

// The reason to refuse a control character. Requires: c is a control character other than CR.
Refusal refusal_of_control(char c);

// Looks for the end of the first line. Complete: the line is the first progress.scanned - 2 bytes.
HeadResult scan_start_line(std::string_view bytes, HeadProgress& progress,
                           const HeadLimits& limits);

// Looks for the end of the head, the first line being complete. Complete: the head is
// progress.scanned bytes.
HeadResult scan_field_lines(std::string_view bytes, HeadProgress& progress,
                            const HeadLimits& limits);

}  // namespace fetchmill::server::wire
