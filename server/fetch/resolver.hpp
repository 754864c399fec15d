// Names to addresses: c-ares on the loop, one lookup per name at a time, answers kept for as long
// as they say, also those that there is nothing.
//
// Literals, the hosts file and localhost (RFC 6761) are answered at once; everything else is asked
// of the name servers, A and AAAA in parallel, with the search domains of resolv.conf. Where the
// answer to AAAA is missing although there are IPv4 addresses, those are the answer after a moment
// (RFC 8305 3), and all of them once they are known. Where one answer is that there is no such
// name, that holds for the other too (RFC 8020), which is waited for no longer than that moment:
// some name servers say it of AAAA although there are IPv4 addresses (RFC 4074 4.2). A lookup
// belongs to nobody: whoever waits for it may go away.
//
// Owner: the Fetcher. Lifetime: outlives io_context::run(). Process: loop. Trust: answers are
// untrusted: every address is judged before it is dialled.
#pragma once

#include "config/error.hpp"
#include "server/activity.hpp"
#include "server/fetch/hosts_file.hpp"
#include "server/fetch/name_cache.hpp"
#include "server/fetch/resolv_conf.hpp"
#include "server/fetch/url_host.hpp"
#include "server/intrusive_list.hpp"
#include "server/loop.hpp"

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

struct ares_channeldata;

namespace fetchmill::server::fetch {

struct DnsAnswer;

class Resolver {
 public:
  static constexpr milliseconds resolution_delay{50};

  // `servers` ("192.0.2.1", "[2001:db8::1]:53") are asked instead of those named in resolv.conf,
  // which c-ares reads: blocking, for start-up. `patience` is how long one answer that may do waits
  // for the other. Errors: invalid_request, for the operator.
  static config::Result<std::unique_ptr<Resolver>> make(asio::io_context& io, HostsFile hosts,
                                                        ResolvConf conf,
                                                        const std::vector<std::string>& servers,
                                                        milliseconds patience = resolution_delay);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  class Resolve;
  // Awaitable: Resolved. Errors: dns_failed, overloaded (too many
  // lookups under way), the activity's code.
  // Requires: `host` outlives the wait.
  Resolve resolve(Activity& activity, const Host& host);

  // Fails the lookups under way.
  void stop();

  // Whose answers are remembered.
  std::size_t names_known() const { return cache_.size(); }

 private:
  struct Lookup;
  struct Question;
  struct Watch;

  Resolver(asio::io_context& io, HostsFile hosts, ResolvConf conf, milliseconds patience);
  // Null: it has to be asked for. Valid until the next call.
  const Resolved* known(const Host& host);
  bool has_room_for(const std::string& name) const;
  void join(Resolve& wait, const std::string& name);

  static void answered(void* question, int status, int timeouts, unsigned char* message, int bytes);
  void ask(Lookup& lookup);
  void grow_impatient(Lookup& lookup);
  void conclude(Lookup& lookup);
  void abandon(std::unique_ptr<Question>& question);
  void go_ahead(const std::string& name);
  void finish(const std::string& name);
  void tell(Lookup& lookup, const DnsAnswer& answer);

  static void watch(void* resolver, int fd, int readable, int writable);
  void await_events(const std::shared_ptr<Watch>& socket, bool for_read);
  void await_timeouts();

  asio::io_context& io_;
  ares_channeldata* channel_ = nullptr;
  HostsFile hosts_;
  ResolvConf conf_;
  milliseconds patience_;
  Resolved at_once_;  // scratch: what needs no question
  NameCache cache_;
  std::unordered_map<std::string, std::unique_ptr<Lookup>> lookups_;
  std::unordered_map<int, std::shared_ptr<Watch>> sockets_;
  Timer timer_;
  bool awaits_timeouts_ = false;
  std::size_t abandoned_ = 0;  // questions under way that nobody waits for
};

class [[nodiscard]] Resolver::Resolve : public Wait, public ListHook {
 public:
  Resolve(Activity& activity, Resolver& resolver, const Host& host)
      : Wait(activity), resolver_(resolver), host_(host) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> sequence);
  Resolved await_resume();

 private:
  friend class Resolver;
  void withdraw() override { unlink(); }

  Resolver& resolver_;
  const Host& host_;
  const Resolved* resolved_ = nullptr;
};

}  // namespace fetchmill::server::fetch
