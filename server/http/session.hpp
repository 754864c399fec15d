// One client connection: reads heads through the wire gate, routes them, and writes responses, in
// order.
//
// A session is a small state machine of callbacks: while it is idle it holds no buffer and no
// coroutine frame, only this object. A request that needs to wait gets an Exchange, which lives
// until its response is written.
//
//   reading  ──head──▶ (immediate handler) ──▶ reading     in one turn: one read, one write
//   reading  ──head──▶ exchanging ──response──▶ reading
//   any      ──refusal, close──▶ lingering ──▶ gone
//
// Owner: Service, which destroys it. Process: loop.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/service.hpp"
#include "server/intrusive_list.hpp"
#include "server/socket.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace fetchmill::server::http {

class Session final : public Socket, public ListHook {
 public:
  Session(Service& service, Deadlines& wheel);
  ~Session();

  // Begins to serve; the socket is open. May destroy the session.
  void start();
  // Drain, phase one: for a session that is idle.
  void wait_no_longer_than(std::uint64_t time_ms);
  // Drain, phase two: ends what is being worked on. May destroy the session.
  void interrupt(ErrorCode why);
  // False when the kernel holds bytes, or an end, that no event has told of yet.
  bool is_quiet() const;

 private:
  friend class Exchange;
  enum class State : std::uint8_t { reading, exchanging, writing, lingering };
  struct OwnDeadline : Deadline {
    OwnDeadline(Deadlines& wheel, Session& owner)
        : Deadline(wheel,
                   [](Deadline& self) { static_cast<OwnDeadline&>(self).session.expired(); }),
          session(owner) {}
    Session& session;
  };

  void unawaited() override;
  void expired();

  void pump();
  void consume(std::string_view bytes);
  void keep(std::string_view bytes);
  void refuse(const wire::RefusalInfo& why, TimePoint started);
  void dispatch(const wire::RequestHead& head, std::string_view head_bytes, std::string_view& rest,
                TimePoint started);
  std::optional<config::Error> check(const Request& request, const Route* route) const;
  static void skip_body(const wire::RequestHead& head, std::string_view& rest, Response& response);
  void answer(const Request& request, const Route* route, const Response& response,
              TimePoint started);
  void begin_exchange(const Route& route, const Request& request, std::string_view head_bytes,
                      std::string_view& rest, TimePoint started);
  Detached run(const ExchangeHandler& handler);
  void exchange_finished();
  void settle();
  bool flush();
  bool send_output();
  void resume_output();
  void wait_for_input();
  void linger();
  void drain_input();
  void destroy();

  Service& service_;
  OwnDeadline deadline_;
  std::unique_ptr<Exchange> exchange_;
  std::string input_;   // received, not consumed yet: the rest of a head, pipelined requests
  std::string output_;  // what the socket did not take yet
  wire::HeadProgress progress_;
  State state_ = State::reading;
  bool pumping_ = false;  // an exchange that ends within pump() returns to it instead of calling it
  bool close_after_output_ = false;
  bool broken_ = false;      // the socket takes no more
  bool head_begun_ = false;  // the deadline is that of the head
  bool served_ = false;      // at least one request: from now on the keep-alive limit holds
};

}  // namespace fetchmill::server::http
