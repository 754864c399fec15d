// Connections through the proxy: to the proxy itself, TLS with it where it speaks that, and then a
// tunnel in which the target's own bytes go.
//
// Owner: the Fetcher. Lifetime: outlives its dials; the resolver, the TLS context and the poller
// outlive it. Process: loop. Trust: what the proxy answers is read by the strict grammar, and not a
// byte beyond its head is taken.
#pragma once

#include "config/error.hpp"
#include "server/coroutine.hpp"
#include "server/fetch/connection.hpp"
#include "server/fetch/proxy.hpp"
#include "server/fetch/resolver.hpp"
#include "server/fetch/tls.hpp"
#include "server/fetch/trace.hpp"

#include <cstdint>
#include <vector>

namespace fetchmill::server::fetch {

class Tunnels {
 public:
  Tunnels(Poller& poller, Resolver& resolver, const TlsContext& tls, Proxy proxy)
      : poller_(poller), resolver_(resolver), tls_(&tls), proxy_(std::move(proxy)) {}
  Tunnels(const Tunnels&) = delete;
  Tunnels& operator=(const Tunnels&) = delete;

  // For handshakes from now on.
  void replace_tls(const TlsContext& tls) {
    tls_ = &tls;
    resumption_.reset();
  }

  // As dial(): opens `connection` to one of the addresses, in order, through the proxy. Errors:
  // connect_failed, overloaded, the activity's code. Requires: every address was judged by the
  // policy; at least one. `trace`, where there is one, is told which the proxy reached.
  Task<config::Result<void>> dial(Activity& activity, Connection& connection,
                                  std::vector<Address> addresses, std::uint16_t port,
                                  FetchTrace* trace);

 private:
  Task<config::Result<void>> reach_proxy(Activity& activity, Connection& connection);
  // The status of the proxy's final answer.
  Task<config::Result<unsigned>> ask(Activity& activity, Connection& connection,
                                     const Address& address, std::uint16_t port);

  Poller& poller_;
  Resolver& resolver_;
  const TlsContext* tls_;
  Proxy proxy_;
  TlsResumption resumption_;
};

}  // namespace fetchmill::server::fetch
