#include "server/wire/chunked.hpp"

#include "config/ascii.hpp"
#include "server/wire/chars.hpp"
#include "server/wire/lines.hpp"

namespace fetchmill::server::wire {
namespace {

constexpr std::size_t size_digits_max = 16;

// Forbidden control characters have reasons of their own wherever they stand.
Refusal refusal_of(char c, Refusal otherwise) {
  return is(control_char, c) && c != '\r' ? refusal_of_control(c) : otherwise;
}

}  // namespace

ChunkResult ChunkDecoder::decode(std::string_view bytes) {
  std::size_t consumed = 0;
  while (consumed < bytes.size() && wants_framing()) {
    refusal_ = step(bytes[consumed]);
    if (refusal_ != Refusal::none) {
      state_ = State::refused;
    } else {
      ++consumed;
    }
  }
  switch (state_) {
    case State::payload:
      return {ChunkStatus::payload, consumed, Refusal::none};
    case State::complete:
      return {ChunkStatus::complete, consumed, Refusal::none};
    case State::refused:
      return {ChunkStatus::refused, consumed, refusal_};
    default:
      return {ChunkStatus::incomplete, consumed, Refusal::none};
  }
}

void ChunkDecoder::take_payload(std::uint64_t bytes) {
  payload_remaining_ -= bytes;
  if (payload_remaining_ == 0) state_ = State::payload_cr;
}

bool ChunkDecoder::wants_framing() const {
  return state_ != State::payload && state_ != State::complete && state_ != State::refused;
}

Refusal ChunkDecoder::go_on(State next) {
  state_ = next;
  return Refusal::none;
}

Refusal ChunkDecoder::step(char c) {
  if (state_ >= State::trailer_first) return step_in_trailers(c);
  switch (state_) {
    case State::size_lf:
      if (c != '\n') return Refusal::bare_cr;
      line_bytes_ = 0;
      payload_remaining_ = chunk_bytes_;
      return go_on(chunk_bytes_ == 0 ? State::trailer_first : State::payload);
    case State::payload_cr:
      if (c == '\n') return Refusal::bare_lf;
      return c == '\r' ? go_on(State::payload_lf) : Refusal::chunk_data_overrun;
    case State::payload_lf:
      return c == '\n' ? go_on(State::size_first) : Refusal::bare_cr;
    default:
      break;
  }
  if (c != '\r' && ++line_bytes_ > chunk_line_bytes_max) return Refusal::chunk_line_too_long;
  return state_ <= State::size ? step_in_size(c) : step_in_extension(c);
}

Refusal ChunkDecoder::step_in_size(char c) {
  if (const int digit = ascii::hex_value(c); digit >= 0) {
    if (line_bytes_ > size_digits_max) return Refusal::chunk_size_too_large;
    chunk_bytes_ =
        (state_ == State::size_first ? 0 : chunk_bytes_ * 16) + static_cast<unsigned>(digit);
    return go_on(State::size);
  }
  if (state_ == State::size && c == ';') return go_on(State::extension_name_first);
  if (state_ == State::size && c == '\r') return go_on(State::size_lf);
  return refusal_of(c, Refusal::chunk_size_invalid);
}

Refusal ChunkDecoder::step_in_extension(char c) {
  const bool may_end = state_ == State::extension_name || state_ == State::extension_value ||
                       state_ == State::extension_quoted_end;
  if (may_end && c == '\r') return go_on(State::size_lf);
  if (may_end && c == ';') return go_on(State::extension_name_first);
  switch (state_) {
    case State::extension_name_first:
    case State::extension_name:
      if (is(token_char, c)) return go_on(State::extension_name);
      if (state_ == State::extension_name && c == '=') return go_on(State::extension_value_first);
      break;
    case State::extension_value_first:
    case State::extension_value:
      if (is(token_char, c)) return go_on(State::extension_value);
      if (state_ == State::extension_value_first && c == '"') return go_on(State::extension_quoted);
      break;
    case State::extension_quoted:
      if (is(quoted_char, c)) return Refusal::none;
      if (c == '\\') return go_on(State::extension_quoted_pair);
      if (c == '"') return go_on(State::extension_quoted_end);
      break;
    case State::extension_quoted_pair:
      if (is(quoted_char, c) || c == '\\' || c == '"') return go_on(State::extension_quoted);
      break;
    default:
      break;
  }
  return refusal_of(c, Refusal::chunk_extension_invalid);
}

Refusal ChunkDecoder::step_in_trailers(char c) {
  if (++trailer_bytes_ > trailer_bytes_max) return Refusal::trailers_too_large;
  switch (state_) {
    case State::trailer_first:
      if (c == '\r') return go_on(State::final_lf);
      if (c == ':') return Refusal::empty_field_name;
      if (c == ' ' || c == '\t') return Refusal::folded_line;
      if (is(token_char, c)) return go_on(State::trailer_name);
      return refusal_of(c, Refusal::invalid_field_name);
    case State::trailer_name:
      if (is(token_char, c)) return Refusal::none;
      if (c == ':') return go_on(State::trailer_value);
      if (c == '\r') return Refusal::missing_colon;
      if (c == ' ' || c == '\t') return Refusal::space_before_colon;
      return refusal_of(c, Refusal::invalid_field_name);
    case State::trailer_value:
      if (c == '\r') return go_on(State::trailer_lf);
      return refusal_of(c, Refusal::none);
    case State::trailer_lf:
      return c == '\n' ? go_on(State::trailer_first) : Refusal::bare_cr;
    default:
      return c == '\n' ? go_on(State::complete) : Refusal::bare_cr;
  }
}

}  // namespace fetchmill::server::wire
