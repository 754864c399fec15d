// Names to addresses: c-ares on the loop, one lookup per name at a time, answers kept for as long
// as they say.
//
// Literals, the hosts file and localhost (RFC 6761) are answered at once; everything else is asked
// of the name servers of resolv.conf, A and AAAA in parallel, with its search domains.
//
// Owner: the Fetcher. Lifetime: outlives io_context::run(). Process: loop. Trust: answers are
// untrusted: every address is judged before it is dialled.
#pragma once

#include "config/error.hpp"
#include "server/activity.hpp"
#include "server/fetch/hosts_file.hpp"
#include "server/fetch/url_host.hpp"
#include "server/intrusive_list.hpp"
#include "server/loop.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

struct ares_channeldata;
struct ares_addrinfo;

namespace fetchmill::server::fetch {

class Resolver {
 public:
  using Addresses = std::vector<Address>;

  // Reads resolv.conf: blocking, for start-up. `servers` ("192.0.2.1:53,…") are asked instead of
  // those named there; empty: those. Errors: invalid_request, for the operator.
  static config::Result<std::unique_ptr<Resolver>> make(asio::io_context& io, HostsFile hosts,
                                                        const std::string& servers = {});
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  class Resolve;
  // Awaitable: Result<Addresses>, never an empty list. Errors: dns_failed, the activity's code.
  // Requires: `host` outlives the wait.
  Resolve resolve(Activity& activity, const Host& host);

  // Fails the lookups under way.
  void stop();

 private:
  struct Lookup;
  struct Question;
  struct Watch;
  struct Cached {
    Addresses addresses;
    TimePoint expires;
  };

  Resolver(asio::io_context& io, HostsFile hosts);
  // Null: it has to be asked for.
  const Addresses* known(const Host& host);
  Lookup& lookup(const std::string& name);

  static void answered(void* question, int status, int timeouts, ares_addrinfo* answer);
  void finish(const std::string& name);
  void remember(const std::string& name, const Lookup& lookup);

  static void watch(void* resolver, int fd, int readable, int writable);
  void await_events(const std::shared_ptr<Watch>& socket, bool for_read);
  void await_timeout();

  asio::io_context& io_;
  ares_channeldata* channel_ = nullptr;
  HostsFile hosts_;
  Addresses literal_;  // scratch
  std::unordered_map<std::string, Cached> cache_;
  std::unordered_map<std::string, std::unique_ptr<Lookup>> lookups_;
  std::unordered_map<int, std::shared_ptr<Watch>> sockets_;
  Timer timer_;
};

class [[nodiscard]] Resolver::Resolve : public Wait, public ListHook {
 public:
  Resolve(Activity& activity, Resolver& resolver, const Host& host)
      : Wait(activity), resolver_(resolver), host_(host) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> sequence);
  config::Result<Addresses> await_resume();

 private:
  friend class Resolver;
  void withdraw() override { unlink(); }

  Resolver& resolver_;
  const Host& host_;
  const Addresses* known_ = nullptr;
  const Lookup* finished_ = nullptr;
};

}  // namespace fetchmill::server::fetch
