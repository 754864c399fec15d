// One connection to an upstream: a socket, with TLS on it where the scheme asks for it. Through a
// proxy it is a tunnel, and the TLS of the target may stand within the TLS of the proxy.
//
// receive() and send() never block and never ask the kernel for what it is known not to have, so a
// caller simply tries, and awaits ready() after would_block.
//
// Owner: Connections. Process: loop. Trust: bytes are untrusted; the peer is verified under https.
#pragma once

#include "config/error.hpp"
#include "server/coroutine.hpp"
#include "server/fetch/address.hpp"
#include "server/fetch/tls.hpp"
#include "server/socket.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace fetchmill::server::fetch {

class Connection : public Socket {
 public:
  explicit Connection(Poller& poller) : Socket(poller) {}
  ~Connection() { close(); }

  // Whom we are connected to: by the kernel's word, or within a tunnel whom the proxy was asked
  // for.
  std::optional<Address> peer() const;
  std::optional<Address> own_end() const;

  // Of the handshake; empty without TLS.
  std::optional<TlsFacts> tls_facts() const;

  // What goes over it from now on is between us and this address.
  void tunnelled(const Address& to) { tunnelled_to_ = to; }

  // Within the TLS that is there already, if any. Errors: tls_failed, the activity's code.
  Task<config::Result<void>> handshake(Activity& activity, TlsSession session);

  // After the handshake.
  bool speaks_http2() const { return tls_ && agreed_on_http2(tls_.get()); }

  // Into the buffers in order, as much as is there. Under TLS `closed` with error 0 means that the
  // upstream said so (close_notify): a cut connection is an error.
  Transfer receive(std::span<const iovec> into);
  Transfer send(std::span<const iovec> from);
  // Asking the kernel may be worth it: what ended the sending may have words in front of it.
  bool may_have_input() const { return may_read() || send_failed_; }
  // What the last operation that would have blocked waits for.
  Readiness ready(Activity& activity) { return Readiness(activity, *this, needed()); }
  // The same, or until it takes more than it did.
  Readiness ready_or_writable(Activity& activity) {
    Interest interest = needed();
    interest.write = interest.write || !may_write();
    return Readiness(activity, *this, interest);
  }

  // What broke the connection off, when receive() or send() said `closed`, to stand behind words
  // that say so; empty: an end in order.
  std::string how_closed(const Transfer& transfer) const;
  // Why the upstream ended TLS, when receive() or send() said `closed` for that reason; else null.
  const char* alert() const { return alert_; }

  // How long a peer that is gone without a word may go unnoticed: probes that the kernel sends find
  // out by then. They are for who may wait for longer. Idempotent.
  static constexpr std::chrono::minutes unnoticed_max{2};
  void probe();

  // True while an idle connection has said nothing: it can be used again.
  bool is_quiet();

  void close();

  // For OpenSSL, which reads through it.
  Transfer read_for_tls(std::span<char> into);

 private:
  Interest needed() const { return {.read = !waits_for_write_, .write = waits_for_write_}; }
  Transfer receive_tls(std::span<char> into);
  Transfer send_tls(std::span<const char> from);
  Transfer tls_outcome(int result, std::size_t bytes);
  void hear_why_sending_failed();
  bool is_flood() const;

  std::optional<Address> tunnelled_to_;
  TlsSession proxy_tls_;  // outlives what stands within it
  TlsSession tls_;
  const char* alert_ = nullptr;
  std::uint32_t barren_bytes_ = 0;  // under TLS, since the last byte of what is said in it
  std::uint32_t turn_bytes_ = 0;    // the same, less those, since reading was last put off
  bool waits_for_write_ = false;
  bool send_failed_ = false;
  bool probed_ = false;
};

}  // namespace fetchmill::server::fetch
