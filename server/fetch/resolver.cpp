#include "server/fetch/resolver.hpp"

#include "server/fetch/interrupted.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <ares.h>
#include <boost/asio/post.hpp>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

constexpr std::size_t cached_names_max = 1024;
constexpr std::chrono::seconds ttl_max{300};
constexpr int server_timeout_ms = 2000;
constexpr int server_tries = 3;

const Resolver::Addresses localhost{make_ipv4(0x7f000001)};

bool is_localhost(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost");
}

std::string words(int status) {
  switch (status) {
    case ARES_ENOTFOUND:
      return "no such name (NXDOMAIN)";
    case ARES_ENODATA:
      return "the name has no address";
    case ARES_ETIMEOUT:
      return "the name servers did not answer in time";
    case ARES_ECONNREFUSED:
      return "the name servers cannot be reached";
    case ARES_ESERVFAIL:
      return "the name servers failed to find out (SERVFAIL)";
    case ARES_EREFUSED:
      return "the name servers refused to answer";
    case ARES_EBADNAME:
      return "not a name that can be looked up";
    default:
      return std::string("the lookup failed: ") + ares_strerror(status);
  }
}

}  // namespace

struct Resolver::Question {
  Lookup* lookup = nullptr;
  int status = ARES_SUCCESS;
  Addresses addresses;
};

// One name being asked for; both questions refer to it until they are answered.
struct Resolver::Lookup {
  Resolver* resolver = nullptr;
  std::string name;
  Question ipv4;
  Question ipv6;
  bool asked = false;
  int unanswered = 2;
  std::chrono::seconds ttl = ttl_max;
  IntrusiveList<Resolve> waiting;

  config::Result<Addresses> result() const {
    // IPv4 first: addresses are tried one after the other, and a host without IPv6 is common.
    Addresses all = ipv4.addresses;
    all.insert(all.end(), ipv6.addresses.begin(), ipv6.addresses.end());
    if (!all.empty()) return all;
    // "No address of that kind" says less than whatever became of the other question.
    const int status = ipv4.status == ARES_ENODATA ? ipv6.status : ipv4.status;
    return Error(ErrorCode::dns_failed,
                 name + ": " + words(status == ARES_SUCCESS ? ARES_ENODATA : status));
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

Resolver::Resolver(asio::io_context& io, HostsFile hosts)
    : io_(io), hosts_(std::move(hosts)), timer_(io) {}

config::Result<std::unique_ptr<Resolver>> Resolver::make(asio::io_context& io, HostsFile hosts,
                                                         const std::string& servers) {
  const auto failed = [](int status) {
    return Error(ErrorCode::invalid_request,
                 std::string("the resolver cannot be started: ") + ares_strerror(status));
  };
  if (const int status = ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS)
    return failed(status);
  std::unique_ptr<Resolver> made(new Resolver(io, std::move(hosts)));
  ares_options options{};
  // HOSTALIASES names a file that would be read at every lookup.
  options.flags = ARES_FLAG_NOALIASES;
  options.timeout = server_timeout_ms;
  options.tries = server_tries;
  std::string ask_servers_only = "b";
  options.lookups = ask_servers_only.data();
  options.sock_state_cb = &Resolver::watch;
  options.sock_state_cb_data = made.get();
  int status = ares_init_options(&made->channel_, &options,
                                 ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                     ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
  if (status == ARES_SUCCESS && !servers.empty())
    status = ares_set_servers_ports_csv(made->channel_, servers.c_str());
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
}

const Resolver::Addresses* Resolver::known(const Host& host) {
  if (host.address) {
    literal_.assign(1, *host.address);
    return &literal_;
  }
  std::string name = host.text;
  if (name.ends_with('.')) name.pop_back();
  if (const auto in_file = hosts_.find(name); in_file != hosts_.end()) return &in_file->second;
  if (is_localhost(name)) return &localhost;
  const auto cached = cache_.find(host.text);
  if (cached == cache_.end()) return nullptr;
  if (cached->second.expires > Clock::now()) return &cached->second.addresses;
  cache_.erase(cached);
  return nullptr;
}

Resolver::Lookup& Resolver::lookup(const std::string& name) {
  if (const auto under_way = lookups_.find(name); under_way != lookups_.end())
    return *under_way->second;
  auto made = std::make_unique<Lookup>();
  made->resolver = this;
  made->name = name;
  made->ipv4.lookup = made->ipv6.lookup = made.get();
  return *lookups_.emplace(name, std::move(made)).first->second;
}

Resolver::Resolve Resolver::resolve(Activity& activity, const Host& host) {
  return Resolve(activity, *this, host);
}

bool Resolver::Resolve::await_ready() {
  if (!interrupted()) known_ = resolver_.known(host_);
  return interrupted() || known_;
}

void Resolver::Resolve::await_suspend(std::coroutine_handle<> sequence) {
  suspend(sequence);
  Lookup& lookup = resolver_.lookup(host_.text);
  lookup.waiting.push_back(*this);
  if (std::exchange(lookup.asked, true)) return;
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_INET;
  ares_getaddrinfo(resolver_.channel_, lookup.name.c_str(), nullptr, &hints, &Resolver::answered,
                   &lookup.ipv4);
  hints.ai_family = AF_INET6;
  ares_getaddrinfo(resolver_.channel_, lookup.name.c_str(), nullptr, &hints, &Resolver::answered,
                   &lookup.ipv6);
  resolver_.await_timeout();
}

config::Result<Resolver::Addresses> Resolver::Resolve::await_resume() {
  if (known_) return *known_;
  if (finished_) return finished_->result();
  return fetch::interrupted(activity(), "resolving the host name");
}

// c-ares calls this from within ares_getaddrinfo, ares_process_fd or ares_cancel: whoever waits is
// resumed from the loop's own queue instead.
void Resolver::answered(void* question_, int status, int, ares_addrinfo* answer) {
  auto& question = *static_cast<Question*>(question_);
  Lookup& lookup = *question.lookup;
  question.status = status;
  if (answer) {
    for (const ares_addrinfo_node* node = answer->nodes; node; node = node->ai_next) {
      if (const std::optional<Address> address = from_sockaddr(node->ai_addr))
        question.addresses.push_back(*address);
      lookup.ttl = std::min(lookup.ttl, std::chrono::seconds(std::max(node->ai_ttl, 0)));
    }
    ares_freeaddrinfo(answer);
  }
  if (--lookup.unanswered > 0 || status == ARES_EDESTRUCTION) return;
  asio::post(lookup.resolver->io_,
             [resolver = lookup.resolver, name = lookup.name] { resolver->finish(name); });
}

void Resolver::finish(const std::string& name) {
  const auto found = lookups_.find(name);
  const std::unique_ptr<Lookup> lookup = std::move(found->second);
  lookups_.erase(found);
  remember(name, *lookup);
  while (!lookup->waiting.empty()) {
    Resolve& wait = lookup->waiting.front();
    wait.unlink();
    wait.finished_ = lookup.get();
    wait.complete();
  }
}

void Resolver::remember(const std::string& name, const Lookup& lookup) {
  config::Result<Addresses> result = lookup.result();
  if (!result || lookup.ttl <= std::chrono::seconds::zero()) return;
  const TimePoint now = Clock::now();
  if (cache_.size() >= cached_names_max)
    std::erase_if(cache_, [now](const auto& entry) { return entry.second.expires <= now; });
  if (cache_.size() >= cached_names_max) cache_.erase(cache_.begin());
  cache_[name] = {std::move(*result), now + lookup.ttl};
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
        await_timeout();
      });
}

void Resolver::await_timeout() {
  timeval due{};
  if (!ares_timeout(channel_, nullptr, &due)) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::seconds(due.tv_sec) + std::chrono::microseconds(due.tv_usec));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    await_timeout();
  });
}

}  // namespace fetchmill::server::fetch
