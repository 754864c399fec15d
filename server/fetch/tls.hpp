// TLS towards upstreams: contexts made at start and by reloads; TLS 1.2 and newer, certificate and
// host name always verified. Origins that the operator lists have contexts of their own, with a
// client certificate.
//
// Owner: the Fetcher. Lifetime: a TlsSession keeps what it needs of its context. Process: loop, and
// the thread of a reload (OpenSSL never crosses a fork). Trust: certificates are untrusted until
// verified.
#pragma once

#include "config/error.hpp"
#include "server/fetch/url_host.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;
struct ssl_session_st;

namespace fetchmill::server::fetch {

struct TlsDelete {
  void operator()(ssl_ctx_st* context) const;
  void operator()(ssl_st* session) const;
};
using TlsSession = std::unique_ptr<ssl_st, TlsDelete>;

// What shortens the next handshake with the same origin, as the bytes of it: OpenSSL's own form
// keeps every certificate that the upstream showed. At most 8 KiB; what takes more is not kept. A
// session that is resumed is not verified again, so it rests on what the context trusted under
// which it was verified: only tickets of the context in use now are kept, however late others come.
class TlsResumption {
 public:
  explicit operator bool() const { return ticket_bytes_ > 0; }
  // Forgets the ticket, and takes none until a context uses it.
  void reset() { use(nullptr); }

 private:
  friend class TlsContext;
  static int on_ticket(ssl_st* session, ssl_session_st* ticket);
  void keep(const ssl_session_st& ticket);
  void offer(ssl_st& session) const;
  void forget();
  void use(const ssl_ctx_st* context);

  std::unique_ptr<unsigned char[]> ticket_;
  int ticket_bytes_ = 0;
  const ssl_ctx_st* context_ = nullptr;  // only compared; a session keeps its own alive
};

// PEM files by their settings' names; all may be empty, the last two together.
struct TlsFiles {
  std::string ca_file;  // empty: the system's
  std::string client_certificate_file;
  std::string client_key_file;
};

// The newest version of HTTP that is offered, if the context offers it.
enum class Alpn : std::uint8_t { http1, http2 };

class TlsContext {
 public:
  // With `http2` upstreams may choose it, and will where they speak it. Blocking, for start-up.
  // Errors: invalid_request, in words for the operator; `section` is where the files stand in the
  // settings.
  static config::Result<TlsContext> make(const TlsFiles& files, std::string_view section,
                                         bool http2);

  // False when the system has no bundle of authorities: every handshake will fail then.
  bool has_authorities() const { return has_authorities_; }

  // A session that will accept only `host`; null when memory is short. `resumption` is offered to
  // the upstream, and replaced by what it hands out: it outlives the session.
  TlsSession session(const Host& host, TlsResumption& resumption, Alpn alpn = Alpn::http2) const;

 private:
  explicit TlsContext(std::unique_ptr<ssl_ctx_st, TlsDelete> context)
      : context_(std::move(context)) {}

  std::unique_ptr<ssl_ctx_st, TlsDelete> context_;
  bool has_authorities_ = true;
};

// What a handshake agreed on.
struct TlsFacts {
  std::string version;   // "TLSv1.3"
  std::string cipher;    // by its name in the standard
  std::string protocol;  // by ALPN; empty: none
  bool resumed = false;
  std::string subject;  // of the upstream's certificate, as RFC 2253 writes names
  std::string issuer;
  std::string not_before;  // RFC 3339
  std::string not_after;
};
TlsFacts tls_facts(const ssl_st& session);

// Whether both sides chose HTTP/2. After the handshake.
bool agreed_on_http2(const ssl_st* session);

// What the other side gave as its reason to end TLS, in words; null when the last error on
// OpenSSL's queue is no such alert.
const char* tls_alert();

// What kind of failure the last one of a session was; to be asked before tls_failure.
config::FetchFault tls_fault(const ssl_st* session);

// Why the last operation of a session failed, in words, and empties OpenSSL's error queue.
std::string tls_failure(const ssl_st* session);

}  // namespace fetchmill::server::fetch
