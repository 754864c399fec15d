#include "server/fetch/resolver.hpp"

#include "server/fetch/dns_answer.hpp"
#include "server/fetch/interrupted.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include <ares.h>
#include <arpa/nameser.h>
#include <boost/asio/post.hpp>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

constexpr std::size_t cached_names_max = 8192;
// Each takes two of the 65,536 numbers that tell questions apart. Who waits for a lookup may give
// up before the name servers do.
constexpr std::size_t lookups_max = 16384;
// Each takes one of those numbers until it is answered or times out.
constexpr std::size_t abandoned_max = 16384;
// Where resolv.conf says nothing: short, so that a second try fits into a fetch's connect timeout.
constexpr milliseconds default_timeout{2000};
constexpr int default_attempts = 3;
constexpr milliseconds timeout_resolution{100};

bool is_localhost(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost");
}

Resolved resolved(const std::string& name, const DnsAnswer& answer) {
  if (answer.outcome == DnsOutcome::found) return answer.addresses;
  Error error(ErrorCode::dns_failed, name + ": " + std::string(words(answer.outcome)));
  error.transient = is_transient(answer.outcome);
  if (answer.outcome == DnsOutcome::timed_out) error.fault = config::FetchFault::dns_timeout;
  // Before that, the answer would be this one.
  if (error.transient) error.retry_after = kept_for(answer);
  return error;
}

// As c-ares wants them: it takes brackets for a sign of a port.
std::string joined(const std::vector<std::string>& servers) {
  std::string csv;
  for (const std::string& server : servers)
    csv += (csv.empty() ? "" : ",") + server + (server.ends_with(']') ? ":53" : "");
  return csv;
}

}  // namespace

// Belongs to its lookup, or to c-ares once it is abandoned.
struct Resolver::Question {
  Resolver* resolver = nullptr;
  Lookup* lookup = nullptr;  // null: it is abandoned
  Family family = Family::ipv4;
  bool answered = false;
  DnsAnswer answer;

  bool has_no_such_name() const { return answered && answer.outcome == DnsOutcome::no_such_name; }
};

// One name being asked for, under one search domain after the other; both questions refer to it
// until they are answered.
struct Resolver::Lookup {
  std::string name;
  std::vector<std::string> names_to_ask;
  std::size_t asked = 0;
  int unanswered = 0;
  DnsAnswer answer;
  std::unique_ptr<Question> ipv4;
  std::unique_ptr<Question> ipv6;
  IntrusiveList<Resolve> waiting;
  std::optional<Timer> patience;
  bool went_ahead = false;

  // An address ends the walk through the search domains.
  bool lacks_ipv6_only() const {
    return unanswered == 1 && ipv4->answer.outcome == DnsOutcome::found;
  }
  // What is missing is an answer that can only be the same (RFC 8020).
  bool is_nowhere() const {
    return unanswered == 1 && (ipv4->has_no_such_name() || ipv6->has_no_such_name());
  }
  // There may be another of that name only where this one is known not to exist.
  bool may_ask_on() const {
    return answer.outcome <= DnsOutcome::no_address && asked < names_to_ask.size();
  }
};

// The descriptor belongs to c-ares, which closes it.
struct Resolver::Watch {
  explicit Watch(asio::io_context& io) : descriptor(io) {}
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> descriptor;
  bool wanted_readable = false;
  bool wanted_writable = false;
  bool awaits_read = false;
  bool awaits_write = false;
};

Resolver::Resolver(asio::io_context& io, HostsFile hosts, ResolvConf conf, milliseconds patience)
    : io_(io),
      hosts_(std::move(hosts)),
      conf_(std::move(conf)),
      patience_(patience),
      cache_(cached_names_max),
      timer_(io) {}

config::Result<std::unique_ptr<Resolver>> Resolver::make(asio::io_context& io, HostsFile hosts,
                                                         ResolvConf conf,
                                                         const std::vector<std::string>& servers,
                                                         milliseconds patience) {
  const auto failed = [](int status) {
    return Error(ErrorCode::invalid_request,
                 std::string("the resolver cannot be started: ") + ares_strerror(status));
  };
  if (const int status = ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS)
    return failed(status);
  std::unique_ptr<Resolver> made(new Resolver(io, std::move(hosts), std::move(conf), patience));
  const ResolvConf& own_conf = made->conf_;
  ares_options options{};
  options.timeout =
      static_cast<int>((own_conf.timeout.count() > 0 ? own_conf.timeout : default_timeout).count());
  options.tries = own_conf.attempts > 0 ? own_conf.attempts : default_attempts;
  options.sock_state_cb = &Resolver::watch;
  options.sock_state_cb_data = made.get();
  int status = ares_init_options(&made->channel_, &options,
                                 ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status == ARES_SUCCESS && !servers.empty())
    status = ares_set_servers_ports_csv(made->channel_, joined(servers).c_str());
  if (status != ARES_SUCCESS) return failed(status);
  return made;
}

Resolver::~Resolver() {
  if (channel_) ares_destroy(channel_);
  ares_library_cleanup();
}

void Resolver::stop() {
  ares_cancel(channel_);
  timer_.cancel();
  awaits_timeouts_ = false;
}

const Resolved* Resolver::known(const Host& host) {
  if (host.address) {
    at_once_ = std::vector{*host.address};
    return &at_once_;
  }
  std::string name = host.text;
  if (name.ends_with('.')) name.pop_back();
  if (const auto in_file = hosts_.find(name); in_file != hosts_.end()) {
    at_once_ = in_file->second;
    return &at_once_;
  }
  if (is_localhost(name)) {
    at_once_ = std::vector{make_ipv4(0x7f000001)};
    return &at_once_;
  }
  if (const Resolved* cached = cache_.find(host.text, Clock::now())) return cached;
  if (has_room_for(host.text)) return nullptr;
  at_once_ = Error(ErrorCode::overloaded, "too many host names are being looked up");
  return &at_once_;
}

bool Resolver::has_room_for(const std::string& name) const {
  return lookups_.size() < lookups_max || lookups_.contains(name);
}

void Resolver::join(Resolve& wait, const std::string& name) {
  if (const auto under_way = lookups_.find(name); under_way != lookups_.end()) {
    under_way->second->waiting.push_back(wait);
    // What it went ahead with was kept for less time than AAAA takes.
    if (under_way->second->went_ahead) asio::post(io_, [this, name] { go_ahead(name); });
    return;
  }
  Lookup& lookup = *lookups_.emplace(name, std::make_unique<Lookup>()).first->second;
  lookup.name = name;
  lookup.names_to_ask = names_to_ask(name, conf_);
  lookup.waiting.push_back(wait);
  if (lookup.names_to_ask.empty()) return asio::post(io_, [this, name] { finish(name); });
  ask(lookup);
  await_timeouts();
}

// c-ares answers what it cannot ask at once, from within.
void Resolver::ask(Lookup& lookup) {
  const std::string& name = lookup.names_to_ask[lookup.asked++];
  lookup.unanswered = 2;
  lookup.ipv4 = std::make_unique<Question>(Question{this, &lookup, Family::ipv4, false, {}});
  lookup.ipv6 = std::make_unique<Question>(Question{this, &lookup, Family::ipv6, false, {}});
  ares_query(channel_, name.c_str(), ns_c_in, ns_t_a, &Resolver::answered, lookup.ipv4.get());
  ares_query(channel_, name.c_str(), ns_c_in, ns_t_aaaa, &Resolver::answered, lookup.ipv6.get());
}

Resolver::Resolve Resolver::resolve(Activity& activity, const Host& host) {
  return Resolve(activity, *this, host);
}

bool Resolver::Resolve::await_ready() {
  if (!interrupted()) resolved_ = resolver_.known(host_);
  return interrupted() || resolved_;
}

void Resolver::Resolve::await_suspend(std::coroutine_handle<> sequence) {
  suspend(sequence);
  resolver_.join(*this, host_.text);
}

Resolved Resolver::Resolve::await_resume() {
  if (resolved_) return *resolved_;
  return fetch::interrupted(activity(), "resolving the host name", config::FetchFault::dns_timeout);
}

// c-ares calls this from within ares_query, ares_process_fd or ares_cancel: whoever waits is
// resumed from the loop's own queue instead.
void Resolver::answered(void* question_, int status, int, unsigned char* message, int bytes) {
  auto& question = *static_cast<Question*>(question_);
  Resolver& self = *question.resolver;
  if (!question.lookup) {
    const std::unique_ptr<Question> owned(&question);
    --self.abandoned_;
    return;
  }
  if (status == ARES_EDESTRUCTION) return;
  Lookup& lookup = *question.lookup;
  question.answer =
      read_answer(status, {message, static_cast<std::size_t>(bytes)}, question.family);
  question.answered = true;
  --lookup.unanswered;
  if (lookup.unanswered == 0) return self.conclude(lookup);
  if (lookup.lacks_ipv6_only() || lookup.is_nowhere()) self.grow_impatient(lookup);
}

// Both answers to one name are known, or as much of them as is waited for.
void Resolver::conclude(Lookup& lookup) {
  lookup.answer = merge(std::move(lookup.answer), lookup.ipv4->answer);
  lookup.answer = merge(std::move(lookup.answer), lookup.ipv6->answer);
  // Some servers say of AAAA that there is no such name although it has IPv4 addresses (RFC 4074
  // section 4.2). So it is not remembered where nothing was heard of these.
  if (!lookup.ipv4->answered) {
    lookup.answer.ttl = std::chrono::seconds(0);
    abandon(lookup.ipv4);
  }
  if (!lookup.ipv6->answered) abandon(lookup.ipv6);
  lookup.unanswered = 0;
  if (lookup.may_ask_on()) return ask(lookup);
  asio::post(io_, [this, name = lookup.name] { finish(name); });
}

// c-ares cannot take a single question back.
void Resolver::abandon(std::unique_ptr<Question>& question) {
  question->lookup = nullptr;
  (void)question.release();
  ++abandoned_;
}

// Not the other way round: who has an IPv6 address only may be unable to use it.
void Resolver::grow_impatient(Lookup& lookup) {
  lookup.patience.emplace(io_, patience_);
  lookup.patience->async_wait([this, name = lookup.name](const boost::system::error_code& error) {
    if (!error) go_ahead(name);
  });
}

// The lookup may have come to its end meanwhile.
void Resolver::go_ahead(const std::string& name) {
  const auto found = lookups_.find(name);
  if (found == lookups_.end()) return;
  Lookup& lookup = *found->second;
  if (lookup.is_nowhere() && abandoned_ < abandoned_max) return conclude(lookup);
  if (!lookup.lacks_ipv6_only()) return;
  lookup.went_ahead = true;
  tell(lookup, merge(lookup.answer, lookup.ipv4->answer));
}

void Resolver::finish(const std::string& name) {
  const auto found = lookups_.find(name);
  const std::unique_ptr<Lookup> lookup = std::move(found->second);
  lookups_.erase(found);
  tell(*lookup, lookup->answer);
}

void Resolver::tell(Lookup& lookup, const DnsAnswer& answer) {
  const Resolved outcome = resolved(lookup.name, answer);
  // To find out again that a name cannot be asked for costs no question.
  if (answer.outcome != DnsOutcome::bad_name)
    cache_.remember(lookup.name, outcome, Clock::now() + kept_for(answer));
  while (!lookup.waiting.empty()) {
    Resolve& wait = lookup.waiting.front();
    wait.unlink();
    wait.resolved_ = &outcome;
    wait.complete();
  }
}

void Resolver::watch(void* resolver, int fd, int readable, int writable) {
  Resolver& self = *static_cast<Resolver*>(resolver);
  auto found = self.sockets_.find(fd);
  if (!readable && !writable) {
    if (found == self.sockets_.end()) return;
    found->second->descriptor.release();
    found->second->wanted_readable = found->second->wanted_writable = false;
    self.sockets_.erase(found);
    return;
  }
  if (found == self.sockets_.end()) {
    auto added = std::make_shared<Watch>(self.io_);
    boost::system::error_code error;
    added->descriptor.assign(fd, error);
    // Without events the question ends by its timeout.
    if (error) return;
    found = self.sockets_.emplace(fd, std::move(added)).first;
  }
  const std::shared_ptr<Watch>& socket = found->second;
  socket->wanted_readable = readable != 0;
  socket->wanted_writable = writable != 0;
  if (readable && !socket->awaits_read) self.await_events(socket, true);
  if (writable && !socket->awaits_write) self.await_events(socket, false);
}

void Resolver::await_events(const std::shared_ptr<Watch>& socket, bool for_read) {
  bool Watch::*const awaits = for_read ? &Watch::awaits_read : &Watch::awaits_write;
  bool Watch::*const wanted = for_read ? &Watch::wanted_readable : &Watch::wanted_writable;
  (*socket).*awaits = true;
  socket->descriptor.async_wait(
      for_read ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write,
      [this, socket, for_read, awaits, wanted](const boost::system::error_code& error) {
        (*socket).*awaits = false;
        if (error || !socket->descriptor.is_open() || !((*socket).*wanted)) return;
        const int fd = socket->descriptor.native_handle();
        ares_process_fd(channel_, for_read ? fd : ARES_SOCKET_BAD, for_read ? ARES_SOCKET_BAD : fd);
        if (socket->descriptor.is_open() && (*socket).*wanted && !((*socket).*awaits))
          await_events(socket, for_read);
      });
}

// ares_timeout would tell when the next one is due, by going through every question.
void Resolver::await_timeouts() {
  const bool idle = lookups_.empty() && abandoned_ == 0;
  if (idle || std::exchange(awaits_timeouts_, true)) return;
  timer_.expires_after(timeout_resolution);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    awaits_timeouts_ = false;
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    await_timeouts();
  });
}

}  // namespace fetchmill::server::fetch
