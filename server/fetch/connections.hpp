// The keep-alive connections to upstreams, per origin: the one used last is used next, the number
// open is bounded per origin and in all, and who has to wait is served in order.
//
// An idle connection is closed by its deadline, which is also that of its age, to make room for
// another origin, and the moment the upstream closes it or says something nobody asked for.
//
// Where an upstream speaks HTTP/2 its fetches share one connection, and a lease is the right to one
// stream of it. Only the handshake tells, so the first connection of an https origin goes ahead and
// the others wait for what it finds, for a moment.
//
// Owner: the Fetcher. Lifetime: outlives its leases and io_context::run(). Process: loop.
// Bytes: reuse allocates nothing; an open connection costs its descriptor and, under TLS, OpenSSL's
// buffers. The TLS sessions of 1,024 origins without a connection are kept to be resumed, at most
// 8 KiB each.
#pragma once

#include "config/metrics.hpp"
#include "server/fetch/connection.hpp"
#include "server/fetch/http2_session.hpp"
#include "server/fetch/origin_key.hpp"
#include "server/fetch/url.hpp"
#include "server/intrusive_list.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fetchmill::server::fetch {

class Connections {
 public:
  struct Limits {
    std::size_t total = 8192;
    Clock::duration idle{};  // 0: none is kept
    Clock::duration age{};   // of those used again; 0: any
  };
  class Take;
  class Lease;
  struct Origin;

  class Pooled final : public Connection, public ListHook, private Http2Session::Holder {
   public:
    Pooled(Poller& poller, Deadlines& deadlines, Connections& pool, Origin& origin)
        : Connection(poller), pool_(pool), origin_(origin), idle_deadline_(deadlines, *this) {}

    // Kept for the next handshake with this origin.
    TlsResumption& resumption();
    // To be called after the handshake: what it settled holds for the origin.
    void established() { pool_.established(*this); }
    // Null: it speaks HTTP/1.1.
    Http2Session* http2() const { return http2_.get(); }
    // Nobody else gets to use it.
    void retire() {
      if (http2_) http2_->retire();
    }
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
    void start_http2(ExchangeShared& shared) {
      Http2Session::Holder& holder = *this;
      http2_ = std::make_unique<Http2Session>(shared, *this, holder);
      streams_ = 1;
    }
    void unawaited() override;
    void session_changed() override { pool_.session_changed(*this); }

    Connections& pool_;
    Origin& origin_;
    IdleDeadline idle_deadline_;
    TimePoint idle_since_;
    std::unique_ptr<Http2Session> http2_;
    std::size_t streams_ = 0;  // leases, with HTTP/2
    TimePoint made_at_;
    bool idle_ = false;
  };

  // With `http2` connections may come to speak it; it outlives them.
  Connections(asio::io_context& io, Poller& poller, Deadlines& deadlines, Limits limits,
              config::Metrics& metrics, ExchangeShared* http2);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  ~Connections();

  // Awaitable: a connection to the URL's origin, open (to be used) or not yet dialled. The lease is
  // empty only when the activity was interrupted. `origin_max` is how many the origin may have, and
  // how many streams: the same for an origin every time. One that was idle for longer than
  // `idle_max` is not used again.
  Take take(Activity& activity, const Url& url, std::size_t origin_max, Clock::duration idle_max);

  // Lets no connection made so far, and none of their TLS sessions, be used again: what was trusted
  // then may not be now.
  void renew();

  // Closes what is idle, now and from now on.
  void stop();

  // Whether the URL's origin has any, in use or idle.
  bool has_any(const Url& url);

  std::size_t active() const { return open_ - idle_; }
  std::size_t idle() const { return idle_; }
  std::size_t waiting() const { return waiting_; }

 private:
  enum class Obstacle : std::uint8_t { none, origin_full, all_full };

  Origin& origin_of(const Url& url);
  TimePoint kept_until(const Pooled& connection) const;
  void prune(Origin& origin);
  void recall(Origin& origin);
  Obstacle grant(Take& take);
  bool is_too_old(const Pooled& connection) const;
  void enqueue(Take& wait, Obstacle obstacle);
  Obstacle grant_stream(Take& take);
  static bool is_idle_for_too_long(const Pooled& connection, const Take& take);
  void established(Pooled& connection);
  void session_changed(Pooled& connection);
  void release(Pooled& connection, bool keep);
  void put_back(Pooled& connection);
  void give_back(Pooled& connection, bool keep);
  void release_stream(Pooled& connection);
  void set_idle(Pooled& connection);
  void set_active(Pooled& connection);
  void destroy(Pooled& connection);
  void freed(Origin& origin);
  void serve_waiting();
  bool serve_one();
  void count();

  asio::io_context& io_;
  Poller& poller_;
  Deadlines& deadlines_;
  Limits limits_;
  ExchangeShared* http2_;
  config::Gauge& active_gauge_;
  config::Gauge& idle_gauge_;

  std::unordered_map<std::string, Origin, OriginKeyHash, std::equal_to<>> origins_;
  std::string key_;                         // scratch
  IntrusiveList<Pooled> idle_by_age_;       // used longest ago first
  IntrusiveList<Take> waiting_for_any_;     // while everything is full
  IntrusiveList<Origin> origins_to_serve_;  // one of their connections was freed
  IntrusiveList<Origin> remembered_;        // for their TLS sessions only; left longest ago first
  std::size_t remembered_count_ = 0;
  std::size_t open_ = 0;  // idle ones included
  std::size_t idle_ = 0;
  std::size_t waiting_ = 0;
  bool serving_posted_ = false;
  bool stopped_ = false;
  TimePoint renewed_at_ = TimePoint::min();
};

// The right to one connection, or to one stream of it. At its end the connection is closed unless
// it was kept or has streams.
class Connections::Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept
      : pool_(other.pool_), connection_(std::exchange(other.connection_, nullptr)) {}
  Lease& operator=(Lease&& other) noexcept {
    release();
    pool_ = other.pool_;
    connection_ = std::exchange(other.connection_, nullptr);
    return *this;
  }
  ~Lease() { release(); }
  void release() {
    if (connection_) pool_->release(*std::exchange(connection_, nullptr), false);
  }
  explicit operator bool() const { return connection_ != nullptr; }
  Pooled& operator*() const { return *connection_; }
  Pooled* operator->() const { return connection_; }
  // Gives the connection back to be used again.
  void keep() { pool_->release(*std::exchange(connection_, nullptr), true); }
  // The same for one that was not used, dialled or not: it has been idle for as long as it had.
  void put_back() { pool_->put_back(*std::exchange(connection_, nullptr)); }

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
  // Whether https connections may be dialled side by side. It is what the handshake of the first
  // tells; while that takes long, or when it fails, each fetch dials for itself.
  enum class Dialling : std::uint8_t { one, first_under_way, each };
  struct Patience : Deadline {
    Patience(Deadlines& wheel, Connections& pool_, Origin& origin_)
        : Deadline(wheel, &Patience::fire), pool(pool_), origin(origin_) {}
    static void fire(Deadline& deadline);
    Connections& pool;
    Origin& origin;
  };

  Origin(Connections& pool, bool is_https)
      : dialling(is_https ? Dialling::one : Dialling::each),
        patience(pool.deadlines_, pool, *this) {}

  std::string_view key;
  Dialling dialling;
  Patience patience;            // while the first handshake is under way
  Pooled* first = nullptr;      // whose handshake it is
  Pooled* shared = nullptr;     // takes streams
  std::vector<Pooled*> idle;    // used last at the end
  IntrusiveList<Take> waiting;  // while the origin is full
  std::size_t open = 0;         // idle ones included
  std::size_t open_max = 0;
  std::size_t wanted = 0;  // Takes that refer to it
  TlsResumption resumption;
};

}  // namespace fetchmill::server::fetch
