// A scripted upstream for the fetch tests: a thread with blocking sockets on a free port of
// 127.0.0.1, which plays one script per connection, in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <openssl/ssl.h>

namespace fetchmill::server::fetch::testing {

// The accepted side of one connection.
class Peer {
 public:
  Peer(int fd, SSL_CTX* tls);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // A whole request: the head and as much body as it declares. Empty when the other side closed.
  std::string read_request();
  // Exactly so many bytes; empty when the other side closed before.
  std::string read(std::size_t bytes);
  void send(std::string_view bytes);
  // In writes of `piece_bytes` bytes.
  void send_in_pieces(std::string_view bytes, std::size_t piece_bytes);
  // Reads until the other side closes.
  void wait_for_close();
  // Closes with a reset.
  void reset();
  // Closes in order, but without TLS's goodbye.
  void cut();
  bool tls_resumed() const;
  // Hands out one more ticket, with the next bytes that are sent.
  void offer_ticket();
  // Says so many times that it sends with new keys from now on (TLS 1.3).
  void renew_keys(int times);
  // Goes on in TLS, within the TLS that is there already, if any.
  void start_tls(SSL_CTX* tls);
  // The client showed a certificate that was verified.
  bool client_verified() const;
  // Answers every request with the same bytes until the other side closes; returns how many.
  std::size_t answer_all(std::string_view response);

 private:
  std::size_t receive(char* into, std::size_t bytes);

  int fd_;
  SSL* tls_ = nullptr;
  SSL* outer_tls_ = nullptr;
  std::string input_;
};

using Script = std::function<void(Peer&)>;

class Upstream {
 public:
  explicit Upstream(std::vector<Script> scripts, SSL_CTX* tls = nullptr);
  ~Upstream();
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view path = "/", std::string_view host = "127.0.0.1",
                  std::string_view scheme = "http") const;
  // Waits for all scripts to end.
  void join();

 private:
  std::uint16_t port_ = 0;
  int listener_;
  std::thread thread_;
};

// A port of 127.0.0.1 that nobody listens on, nor will while the process lives.
std::uint16_t closed_port();

}  // namespace fetchmill::server::fetch::testing
