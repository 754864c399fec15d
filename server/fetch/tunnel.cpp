#include "server/fetch/tunnel.hpp"

#include "server/fetch/address_order.hpp"
#include "server/fetch/dial.hpp"
#include "server/fetch/exchange.hpp"
#include "server/fetch/interrupted.hpp"
#include "server/wire/head.hpp"

#include <array>
#include <string>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

// A tunnel per address costs a connection to the proxy each.
constexpr std::size_t addresses_max = 4;

Error proxy_error(std::string detail) {
  Error error(ErrorCode::connect_failed, std::move(detail));
  error.at_proxy = true;
  return error;
}

// What is wrong with the way to the proxy is connect_failed for whoever fetches through it. The
// proxy's name is the operator's business.
Error at_proxy(Error error) {
  if (error.code == ErrorCode::dns_failed)
    return proxy_error("the proxy's name cannot be resolved");
  if (error.code == ErrorCode::tls_failed) return proxy_error("at the proxy: " + error.detail);
  error.at_proxy = true;
  return error;
}

Task<config::Result<void>> send_all(Activity& activity, Connection& connection,
                                    const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const iovec rest{const_cast<char*>(bytes.data()) + sent, bytes.size() - sent};
    const Transfer transfer = connection.send({&rest, 1});
    if (transfer.status == Transfer::Status::closed)
      co_return proxy_error("the proxy closed the connection before it answered");
    sent += transfer.bytes;
    if (transfer.status != Transfer::Status::would_block) continue;
    const bool ready = co_await connection.ready(activity);
    if (!ready) co_return interrupted(activity, "asking the proxy for a tunnel");
  }
  co_return config::Result<void>();
}

}  // namespace

Task<config::Result<void>> Tunnels::dial(Activity& activity, Connection& connection,
                                         std::vector<Address> addresses, std::uint16_t port,
                                         FetchTrace* trace) {
  Error failure = proxy_error("no address to connect to");
  for (std::size_t i = 0; i < addresses.size() && i < addresses_max; ++i) {
    const config::Result<void> reached = co_await reach_proxy(activity, connection);
    if (!reached) co_return at_proxy(reached.error());
    const config::Result<unsigned> status = co_await ask(activity, connection, addresses[i], port);
    // Also when no answer came in time: the proxy may hang as well as what is behind it.
    if (!status) co_return at_proxy(status.error());
    if (*status < 300) {
      if (trace) trace->connect_ended(addresses[i], 0);
      connection.tunnelled(addresses[i]);
      co_return config::Result<void>();
    }
    failure = tunnel_refusal(*status);
    if (trace) trace->connect_ended(addresses[i], failure.detail);
    connection.close();
    if (!is_about_the_address(*status)) break;
  }
  co_return failure;
}

Task<config::Result<void>> Tunnels::reach_proxy(Activity& activity, Connection& connection) {
  const Resolved addresses = co_await resolver_.resolve(activity, proxy_.host);
  if (!addresses) co_return addresses.error();
  std::vector<Address> order = dial_order(*addresses, false);
  config::Result<void> step = co_await fetch::dial(activity, poller_, connection, std::move(order),
                                                   proxy_.port, nullptr, "proxy");
  if (!step || !proxy_.tls) co_return step;
  step =
      co_await connection.handshake(activity, tls_->session(proxy_.host, resumption_, Alpn::http1));
  co_return step;
}

Task<config::Result<unsigned>> Tunnels::ask(Activity& activity, Connection& connection,
                                            const Address& address, std::uint16_t port) {
  const std::string request = connect_request(proxy_, address, port);
  const config::Result<void> sent = co_await send_all(activity, connection, request);
  if (!sent) co_return sent.error();
  std::string answer;
  wire::HeadProgress progress;
  wire::ResponseHead head;
  unsigned interim = 0;
  for (;;) {
    const wire::HeadResult result =
        wire::parse_response_head(answer, wire::Method::connect, progress, head);
    if (result.status == wire::HeadStatus::refused)
      co_return proxy_error("the proxy's answer has " +
                            std::string(wire::info(result.refusal).detail));
    if (result.status == wire::HeadStatus::complete && head.status < 200) {
      if (++interim > interim_responses_max)
        co_return proxy_error("the proxy sent too many interim responses");
      answer.erase(0, head.bytes);
      continue;
    }
    if (result.status == wire::HeadStatus::complete) {
      // The target speaks only once it was spoken to.
      if (head.status < 300 && answer.size() > head.bytes)
        co_return proxy_error("the proxy sent bytes behind its answer that nobody asked for");
      co_return head.status;
    }
    std::array<char, 1024> buffer;
    const iovec into{buffer.data(), buffer.size()};
    const Transfer transfer = connection.receive({&into, 1});
    if (transfer.status == Transfer::Status::closed)
      co_return proxy_error("the proxy closed the connection before it answered");
    answer.append(buffer.data(), transfer.bytes);
    if (transfer.status != Transfer::Status::would_block) continue;
    const bool ready = co_await connection.ready(activity);
    if (!ready) co_return interrupted(activity, "waiting for the proxy's tunnel");
  }
}

}  // namespace fetchmill::server::fetch
