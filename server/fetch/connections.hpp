// The keep-alive connections to upstreams, per origin: the one used last is used next, the number
// open is bounded per origin and in all, and who has to wait is served in order.
//
// An idle connection is closed by its deadline, to make room for another origin, and the moment the
// upstream closes it or says something nobody asked for.
//
// Owner: the Fetcher. Lifetime: outlives its leases and io_context::run(). Process: loop.
// Bytes: reuse allocates nothing; an open connection costs its descriptor and, under TLS, OpenSSL's
// buffers.
#pragma once

#include "config/metrics.hpp"
#include "server/fetch/connection.hpp"
#include "server/fetch/origin_key.hpp"
#include "server/fetch/url.hpp"
#include "server/intrusive_list.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fetchmill::server::fetch {

class Connections {
 public:
  struct Limits {
    std::size_t per_origin = 1024;
    std::size_t total = 8192;
    Clock::duration idle{};
  };
  class Take;
  class Lease;
  struct Origin;

  class Pooled final : public Connection, public ListHook {
   public:
    Pooled(Poller& poller, Deadlines& deadlines, Connections& pool, Origin& origin)
        : Connection(poller), pool_(pool), origin_(origin), idle_deadline_(deadlines, *this) {}

    // Kept for the next handshake with this origin.
    TlsResumption& resumption();
    // Of the address policy that last allowed the peer; 0: none did.
    std::uint64_t judged_by = 0;

   private:
    friend class Connections;
    struct IdleDeadline : Deadline {
      IdleDeadline(Deadlines& wheel, Pooled& connection_)
          : Deadline(wheel, &IdleDeadline::fire), connection(connection_) {}
      static void fire(Deadline& deadline);
      Pooled& connection;
    };
    void unawaited() override;

    Connections& pool_;
    Origin& origin_;
    IdleDeadline idle_deadline_;
    TimePoint idle_since_;
    bool idle_ = false;
  };

  Connections(asio::io_context& io, Poller& poller, Deadlines& deadlines, Limits limits,
              config::Metrics& metrics);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  ~Connections();

  // Awaitable: a connection to the URL's origin, open (to be used again) or not yet dialled. The
  // lease is empty only when the activity was interrupted. One that was idle for longer than
  // `idle_max` is not used again.
  Take take(Activity& activity, const Url& url, Clock::duration idle_max);

  // Closes what is idle, now and from now on.
  void stop();

  std::size_t active() const { return open_ - idle_; }
  std::size_t idle() const { return idle_; }
  std::size_t waiting() const { return waiting_; }

 private:
  enum class Obstacle : std::uint8_t { none, origin_full, all_full };

  Origin& origin_of(const Url& url);
  void prune(Origin& origin);
  Obstacle grant(Take& take);
  void enqueue(Take& wait, Obstacle obstacle);
  void release(Pooled& connection, bool keep);
  void destroy(Pooled& connection);
  void freed(Origin& origin);
  void serve_waiting();
  bool serve_one();
  void count();

  asio::io_context& io_;
  Poller& poller_;
  Deadlines& deadlines_;
  Limits limits_;
  config::Gauge& active_gauge_;
  config::Gauge& idle_gauge_;

  std::unordered_map<std::string, Origin, OriginKeyHash, std::equal_to<>> origins_;
  std::string key_;                         // scratch
  IntrusiveList<Pooled> idle_by_age_;       // used longest ago first
  IntrusiveList<Take> waiting_for_any_;     // while everything is full
  IntrusiveList<Origin> origins_to_serve_;  // one of their connections was freed
  std::size_t open_ = 0;                    // idle ones included
  std::size_t idle_ = 0;
  std::size_t waiting_ = 0;
  bool serving_posted_ = false;
  bool stopped_ = false;
};

// The right to one connection. At its end the connection is closed unless it was kept.
class Connections::Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept
      : pool_(other.pool_), connection_(std::exchange(other.connection_, nullptr)) {}
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (connection_) pool_->release(*connection_, false);
  }
  explicit operator bool() const { return connection_ != nullptr; }
  Pooled& operator*() const { return *connection_; }
  Pooled* operator->() const { return connection_; }
  // Gives the connection back to be used again.
  void keep() { pool_->release(*std::exchange(connection_, nullptr), true); }

 private:
  friend class Take;
  Lease(Connections& pool, Pooled& connection) : pool_(&pool), connection_(&connection) {}
  Connections* pool_ = nullptr;
  Pooled* connection_ = nullptr;
};

class [[nodiscard]] Connections::Take : public Wait, public ListHook {
 public:
  Take(Activity& activity, Connections& pool, Origin& origin, Clock::duration idle_max);
  ~Take();
  bool await_ready();
  void await_suspend(std::coroutine_handle<> sequence);
  Lease await_resume();

 private:
  friend class Connections;
  void withdraw() override;

  Connections& pool_;
  Origin& origin_;
  Clock::duration idle_max_;
  Pooled* granted_ = nullptr;
  Obstacle obstacle_ = Obstacle::none;
};

struct Connections::Origin : ListHook {
  std::string_view key;
  std::vector<Pooled*> idle;    // used last at the end
  IntrusiveList<Take> waiting;  // while the origin is full
  std::size_t open = 0;         // idle ones included
  std::size_t wanted = 0;       // Takes that refer to it
  TlsResumption resumption;
};

}  // namespace fetchmill::server::fetch
