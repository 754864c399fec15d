// The accepted side of an HTTP/2 connection, frame by frame, for scripts of fetch_upstream.hpp.
#pragma once

#include "tests/unit/server/fetch_upstream.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

namespace fetchmill::server::fetch::testing {

// Has a TLS server choose HTTP/2 where it is offered.
void choose_http2(SSL_CTX* tls);

struct Frame {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t id = 0;
  std::string payload;
};

struct Http2Request {
  std::uint32_t id = 0;  // 0: the other side closed
  std::map<std::string, std::string> fields;
  std::string body;
  std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "(none)" : found->second;
  }
};

using FieldList = std::vector<std::pair<std::string, std::string>>;
using SettingList = std::vector<std::pair<std::uint16_t, std::uint32_t>>;

// Fields as a header block: literals, without compression.
std::string header_block(const FieldList& fields);

class Http2Peer {
 public:
  // Reads the other side's preface and sends ours.
  explicit Http2Peer(Peer& peer, const SettingList& settings = {});
  ~Http2Peer();
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  void send(std::uint8_t type, std::uint8_t flags, std::uint32_t id, std::string_view payload = {});
  void send_head(std::uint32_t id, const FieldList& fields, bool ends = false);
  void send_data(std::uint32_t id, std::string_view bytes, bool ends = false);
  // A body of any size, as the other side's windows allow.
  void send_body(std::uint32_t id, std::string_view bytes, bool ends = true);
  void answer(std::uint32_t id, std::string_view body);
  void reset(std::uint32_t id, std::uint32_t code);
  void go_away(std::uint32_t last_id, std::uint32_t code = NGHTTP2_NO_ERROR);

  // The next whole request; acknowledges what comes before it, and lets its body come.
  Http2Request request();
  // Reads until such a frame comes. Type 0xff: the other side closed.
  Frame wait_for(std::uint8_t type);
  void wait_for_close() { wait_for(0xff); }
  // How much the other side lets us send on a stream now.
  std::int64_t window(std::uint32_t id) const;

 private:
  Frame read();
  void note(const Frame& frame);

  Peer& peer_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::map<std::uint32_t, Http2Request> coming_;
  std::vector<std::uint32_t> complete_;
  std::map<std::uint32_t, std::int64_t> windows_;  // without the first 65,535
};

}  // namespace fetchmill::server::fetch::testing
