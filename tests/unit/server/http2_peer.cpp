#include "tests/unit/server/http2_peer.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch::testing {
namespace {

constexpr std::size_t preface_bytes = 24;
constexpr std::size_t frame_head_bytes = 9;
constexpr std::size_t frame_bytes_max = 16 * 1024;
constexpr std::int64_t first_window = 65'535;

std::string big_endian(std::uint64_t number, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = bytes; i-- > 0; number >>= 8) text[i] = static_cast<char>(number & 0xff);
  return text;
}

std::uint32_t number(std::string_view text) {
  std::uint32_t value = 0;
  for (const char c : text) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// RFC 7541 §5.1 with a prefix of seven bits, and the string itself.
std::string literal(std::string_view text) {
  std::string out;
  std::size_t left = text.size();
  if (left < 127) {
    out += static_cast<char>(left);
  } else {
    out += '\x7f';
    for (left -= 127; left >= 128; left >>= 7) out += static_cast<char>(0x80 | (left & 0x7f));
    out += static_cast<char>(left);
  }
  return out.append(text);
}

int choose(SSL*, const unsigned char** chosen, unsigned char* bytes, const unsigned char* offered,
           unsigned offered_bytes, void*) {
  const std::string_view list(reinterpret_cast<const char*>(offered), offered_bytes);
  const std::size_t at = list.find("\x02h2");
  if (at == std::string_view::npos) return SSL_TLSEXT_ERR_NOACK;
  *chosen = offered + at + 1;
  *bytes = 2;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

void choose_http2(SSL_CTX* tls) {
  SSL_CTX_set_alpn_select_cb(tls, choose, nullptr);
}

std::string header_block(const FieldList& fields) {
  std::string block;
  for (const auto& [name, value] : fields) block += '\0' + literal(name) + literal(value);
  return block;
}

Http2Peer::Http2Peer(Peer& peer, const SettingList& settings) : peer_(peer) {
  nghttp2_hd_inflate_new(&inflater_);
  peer_.read(preface_bytes);
  std::string payload;
  for (const auto& [id, value] : settings) payload += big_endian(id, 2) + big_endian(value, 4);
  send(NGHTTP2_SETTINGS, 0, 0, payload);
}

Http2Peer::~Http2Peer() {
  nghttp2_hd_inflate_del(inflater_);
}

void Http2Peer::send(std::uint8_t type, std::uint8_t flags, std::uint32_t id,
                     std::string_view payload) {
  peer_.send(big_endian(payload.size(), 3) + big_endian(type, 1) + big_endian(flags, 1) +
             big_endian(id, 4) + std::string(payload));
}

void Http2Peer::send_head(std::uint32_t id, const FieldList& fields, bool ends) {
  const std::string block = header_block(fields);
  std::string_view rest = block;
  std::uint8_t type = NGHTTP2_HEADERS;
  do {
    const std::string_view piece = rest.substr(0, frame_bytes_max);
    rest.remove_prefix(piece.size());
    std::uint8_t flags = rest.empty() ? NGHTTP2_FLAG_END_HEADERS : 0;
    if (ends && type == NGHTTP2_HEADERS) flags |= NGHTTP2_FLAG_END_STREAM;
    send(type, flags, id, piece);
    type = NGHTTP2_CONTINUATION;
  } while (!rest.empty());
}

void Http2Peer::send_data(std::uint32_t id, std::string_view bytes, bool ends) {
  windows_[0] -= static_cast<std::int64_t>(bytes.size());
  windows_[id] -= static_cast<std::int64_t>(bytes.size());
  send(NGHTTP2_DATA, ends ? NGHTTP2_FLAG_END_STREAM : 0, id, bytes);
}

void Http2Peer::send_body(std::uint32_t id, std::string_view bytes, bool ends) {
  do {
    const auto room = std::min(window(0), window(id));
    if (room <= 0) {
      if (read().type == 0xff) return;
      continue;
    }
    const std::string_view piece =
        bytes.substr(0, std::min(frame_bytes_max, static_cast<std::size_t>(room)));
    bytes.remove_prefix(piece.size());
    send_data(id, piece, ends && bytes.empty());
  } while (!bytes.empty());
}

void Http2Peer::answer(std::uint32_t id, std::string_view body) {
  send_head(id, {{":status", "200"}, {"content-length", std::to_string(body.size())}},
            body.empty());
  if (!body.empty()) send_body(id, body);
}

void Http2Peer::reset(std::uint32_t id, std::uint32_t code) {
  send(NGHTTP2_RST_STREAM, 0, id, big_endian(code, 4));
}

void Http2Peer::go_away(std::uint32_t last_id, std::uint32_t code) {
  send(NGHTTP2_GOAWAY, 0, 0, big_endian(last_id, 4) + big_endian(code, 4));
}

std::int64_t Http2Peer::window(std::uint32_t id) const {
  const auto found = windows_.find(id);
  return first_window + (found == windows_.end() ? 0 : found->second);
}

Frame Http2Peer::read() {
  const std::string head = peer_.read(frame_head_bytes);
  Frame frame;
  frame.type = 0xff;
  if (head.empty()) return frame;
  frame.type = static_cast<std::uint8_t>(head[3]);
  frame.flags = static_cast<std::uint8_t>(head[4]);
  frame.id = number(std::string_view(head).substr(5));
  frame.payload = peer_.read(number(std::string_view(head).substr(0, 3)));
  note(frame);
  return frame;
}

void Http2Peer::note(const Frame& frame) {
  const bool ends = (frame.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  const bool is_message = frame.type == NGHTTP2_HEADERS || frame.type == NGHTTP2_DATA;
  if (frame.type == NGHTTP2_SETTINGS && (frame.flags & NGHTTP2_FLAG_ACK) == 0)
    send(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0);
  if (frame.type == NGHTTP2_WINDOW_UPDATE) windows_[frame.id] += number(frame.payload);
  if (!is_message) return;
  Http2Request& request = coming_[frame.id];
  request.id = frame.id;
  if (frame.type == NGHTTP2_DATA) {
    request.body += frame.payload;
    if (frame.payload.empty() || ends) return ends ? complete_.push_back(frame.id) : void();
    const std::string bytes = big_endian(frame.payload.size(), 4);
    send(NGHTTP2_WINDOW_UPDATE, 0, 0, bytes);
    send(NGHTTP2_WINDOW_UPDATE, 0, frame.id, bytes);
  } else {
    const auto* in = reinterpret_cast<const std::uint8_t*>(frame.payload.data());
    std::size_t left = frame.payload.size();
    int flags = 0;
    while (left > 0 || (flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      nghttp2_nv field{};
      flags = 0;
      const auto used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, in, left, 1);
      if (used < 0) return;
      in += used;
      left -= static_cast<std::size_t>(used);
      if (flags & NGHTTP2_HD_INFLATE_EMIT)
        request.fields[{reinterpret_cast<char*>(field.name), field.namelen}].assign(
            reinterpret_cast<char*>(field.value), field.valuelen);
      if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
  }
  if (ends) complete_.push_back(frame.id);
}

Http2Request Http2Peer::request() {
  while (complete_.empty())
    if (read().type == 0xff) return {};
  const std::uint32_t id = complete_.front();
  complete_.erase(complete_.begin());
  return std::move(coming_[id]);
}

Frame Http2Peer::wait_for(std::uint8_t type) {
  for (;;) {
    Frame frame = read();
    if (frame.type == type || frame.type == 0xff) return frame;
  }
}

}  // namespace fetchmill::server::fetch::testing
