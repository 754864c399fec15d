// The first pass over a head: where its lines end, that no line holds a forbidden byte, and its
// sizes.
//
// It runs strictly from left to right and remembers in HeadProgress how far it came, so its answer
// does not depend on how the bytes were cut into pieces.
#pragma once

#include "server/wire/head.hpp"

#include <array>
#include <cstdint>
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

// Where each field line ends, before its CRLF.
using LineEnds = std::array<std::uint32_t, fields_capacity>;

// Looks for the end of the head, the first line being complete, and notes where the field lines end
// that are complete since the last call. Complete: the head is progress.scanned bytes and has
// progress.fields of them.
HeadResult scan_field_lines(std::string_view bytes, HeadProgress& progress,
                            const HeadLimits& limits, LineEnds& ends);

}  // namespace fetchmill::server::wire
