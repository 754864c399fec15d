#include "server/wire/lines.hpp"

#include "config/byte_blocks.hpp"
#include "server/wire/chars.hpp"

#include <algorithm>
#include <cstdint>

namespace fetchmill::server::wire {
namespace {

// The first byte at or after `from` that no line may hold.
inline std::size_t find_control(std::string_view bytes, std::size_t from) {
  return config::first_byte(
      bytes, from, [](config::ByteBlock block) { return (block < 0x20) | (block == 0x7f); },
      [](char c) { return is(control_char, c); });
}

// Looks for the end of the line being scanned, which must lie within the first `bytes_max` bytes of
// the head; if it cannot, that is `beyond`. Cutting the input there first makes the answer
// independent of how much arrived at once. Inline, because a call for each line costs as much as
// the scan of a short one.
inline HeadResult scan_line(std::string_view bytes, HeadProgress& progress, std::size_t bytes_max,
                            Refusal beyond) {
  const std::string_view window = bytes.substr(0, bytes_max);
  const std::size_t at = find_control(window, progress.scanned);
  progress.scanned = at;
  if (at == window.size() || (window[at] == '\r' && at + 1 == window.size())) {
    return window.size() == bytes_max ? refused(beyond) : HeadResult{};
  }
  if (window[at] != '\r') return refused(refusal_of_control(window[at]));
  if (window[at + 1] != '\n') return refused(Refusal::bare_cr);
  progress.scanned = at + 2;
  return {HeadStatus::complete, Refusal::none};
}

}  // namespace

Refusal refusal_of_control(char c) {
  if (c == '\n') return Refusal::bare_lf;
  return c == '\0' ? Refusal::nul : Refusal::control_character;
}

HeadResult scan_start_line(std::string_view bytes, HeadProgress& progress,
                           const HeadLimits& limits) {
  const std::size_t line_end_max = limits.start_line_bytes_max + 2;
  if (line_end_max < limits.head_bytes_max) {
    return scan_line(bytes, progress, line_end_max, Refusal::start_line_too_long);
  }
  return scan_line(bytes, progress, limits.head_bytes_max, Refusal::head_too_large);
}

HeadResult scan_field_lines(std::string_view bytes, HeadProgress& progress,
                            const HeadLimits& limits, LineEnds& ends) {
  const std::size_t fields_max = std::min(limits.fields_max, fields_capacity);
  for (;;) {
    const auto line = scan_line(bytes, progress, limits.head_bytes_max, Refusal::head_too_large);
    if (line.status != HeadStatus::complete) return line;
    const std::size_t end = progress.scanned - 2;
    if (end == progress.line_start) return line;
    if (progress.fields == fields_max) return refused(Refusal::too_many_fields);
    ends[progress.fields++] = static_cast<std::uint32_t>(end);
    progress.line_start = progress.scanned;
  }
}

}  // namespace fetchmill::server::wire
