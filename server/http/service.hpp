// What all sessions of the server share: limits, routes, rules, scratch buffers, and the list of
// the sessions.
//
// Owner: main. Lifetime: outlives the listener and every session. Process: loop.
#pragma once

#include "config/log.hpp"
#include "config/metrics.hpp"
#include "config/settings.hpp"
#include "server/activity.hpp"
#include "server/descriptor_reserve.hpp"
#include "server/http/browser_rules.hpp"
#include "server/http/request_id.hpp"
#include "server/http/router.hpp"
#include "server/intrusive_list.hpp"
#include "server/lag_probe.hpp"
#include "server/poller.hpp"
#include "server/wire/head.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fetchmill::server::http {

class Session;

// How a request ended, for metrics and the log.
struct Answered {
  const Route* route;  // null: none
  wire::Method method;
  unsigned status;
  Clock::duration elapsed;
  std::uint64_t bytes;    // of the body that went out
  std::string_view code;  // of the error; empty: none
  std::string_view request_id;
  std::string_view method_text;  // as sent; empty: no request could be read
  std::string_view trace_id;     // empty: none
};

// All that can be read of a connection in one go; also the most that pipelined requests may hold.
inline constexpr std::size_t read_bytes_max = 64 * 1024;

class Service {
 public:
  Service(Poller& poller, Deadlines& wheel, const config::Settings::Server& settings,
          const Router& router, BrowserRules rules, LagProbe& lag, config::Metrics& metrics,
          config::Log& log);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service();

  // Has at most so many connections at once, and holds a descriptor ready for each of them.
  void reserve_connections(std::size_t count) {
    reserve_.emplace(count);
    reserved_ = count;
  }
  std::uint64_t connections_max() const { return reserve_ ? reserved_ : settings.max_connections; }
  // To be called before accept(2), and where that has failed.
  void lend_descriptor() {
    if (reserve_) reserve_->lend();
  }
  void refill_reserve() {
    if (reserve_) reserve_->fill(reserved_ - session_count_);
  }

  // Takes over a connected, non-blocking socket.
  void serve(int fd);
  std::size_t sessions() const { return session_count_; }
  // Closes the connection that has been idle for longest. False when none is, or when its next
  // request is here already.
  bool close_one_idle();
  // What call_when_room() calls, once: when a connection has ended or become idle.
  void on_room(std::function<void()> callback) { room_made_ = std::move(callback); }
  void call_when_room() { room_wanted_ = true; }

  // Drain, phase one: every response from now on says that its connection ends. Connections without
  // a request have server.drain_idle_ms for one more.
  void drain();
  bool draining() const { return draining_; }
  // Whether a request is being received, worked on or answered.
  bool busy() const { return !busy_.empty(); }
  // Phase two: closes idle connections, and interrupts whatever is still being worked on.
  void interrupt_all();

  // The Date field's line, refreshed once a second.
  std::string_view date_line(TimePoint now);
  // The request's origin, where its pages may read the response; else empty.
  std::string_view cors_origin(const Request& request) const {
    const std::string_view origin = request.field(wire::FieldId::origin);
    return !origin.empty() && rules.listed(origin) ? origin : std::string_view{};
  }
  void count_response(const Answered& answered);

  Poller& poller;
  Deadlines& wheel;
  const config::Settings::Server& settings;
  const Router& router;
  const BrowserRules rules;
  LagProbe& lag;
  config::Metrics& metrics;
  config::Log& log;
  RequestIds ids;

  // Scratch of the one session that is being served in this turn.
  std::array<char, read_bytes_max> input;
  wire::RequestHead head;
  std::string output;
  Response response;

  std::string spare_head;  // for the head of a response that may have to wait for its client

  std::uint64_t in_flight = 0;  // exchanges being worked on

 private:
  friend class Session;
  struct RouteSeries {
    config::Counter* ok_get = nullptr;  // method GET, status 200: the hot series; null: cannot be
    config::Histogram* duration = nullptr;
  };
  RouteSeries& series(const Route* route);
  void log_response(const Answered& answered);

  void destroy(Session& session);
  void add_idle(Session& session);
  void tell_of_room() {
    if (std::exchange(room_wanted_, false) && room_made_) room_made_();
  }

  IntrusiveList<Session> idle_;  // longest idle first
  IntrusiveList<Session>
      fresh_;  // nothing received yet: not closed for newcomers, clients would not try again
  IntrusiveList<Session> busy_;
  IntrusiveList<Session> lingering_;
  std::size_t session_count_ = 0;
  std::optional<DescriptorReserve> reserve_;
  std::size_t reserved_ = 0;  // connections and descriptors held, together
  std::function<void()> room_made_;
  bool room_wanted_ = false;
  bool draining_ = false;
  std::string date_line_;
  TimePoint date_until_{};
  std::vector<RouteSeries> series_;  // by route index; the last one is for requests without a route
};

}  // namespace fetchmill::server::http
