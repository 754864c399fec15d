// What one HTTP/2 stream has brought: its session writes it, its exchange reads it.
//
// A session never resumes a sequence from within its own work: it leaves word here, and the
// sequence goes on in a later turn, when it may well end the stream or the session.
//
// Owner: an Http2Exchange. Lifetime: the turns outlive it. Process: loop. Bytes: a head as large as
// HTTP/1.1 allows, and body that the sink has not taken, at most the stream's window. Trust:
// everything but what HTTP/2's framing guarantees is untrusted.
#pragma once

#include "config/error.hpp"
#include "server/activity.hpp"
#include "server/turns.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace fetchmill::server::fetch {

class Http2Stream final : private Deferred {
 public:
  explicit Http2Stream(Turns& turns) : turns_(turns) {}
  Http2Stream(const Http2Stream&) = delete;
  Http2Stream& operator=(const Http2Stream&) = delete;

  // The session's side. False: the answer is refused, and failure() says why.
  void opened(std::int32_t id, std::string_view upload);
  void was_sent();                                // the head of the request
  std::string_view& upload() { return upload_; }  // what is still to be sent
  void head_begins();
  [[nodiscard]] bool field(std::string_view name, std::string_view value);
  [[nodiscard]] bool head_ends();
  [[nodiscard]] bool data(std::string_view bytes);
  void answer_ends();
  // The upstream has not acted on the request, and never will.
  void was_refused();
  // The first failure holds; none counts once the answer has come to its end.
  void fails(std::string detail);
  // `how` goes on the words "the upstream closed the connection …".
  void breaks_off(std::string_view how);
  // The session has forgotten it.
  void closed() { id_ = 0; }

  // The exchange's side.
  std::int32_t id() const { return id_; }  // 0: not open
  bool has_answer() const { return head_complete_; }
  // As text in the form of HTTP/1.1.
  std::string_view head() const { return head_; }
  std::string_view body() const { return std::string_view(body_).substr(taken_); }
  void take(std::size_t bytes);  // off the front of the body
  bool ended() const { return ended_; }
  bool sent() const { return sent_ && !refused_; }
  bool refused() const { return refused_; }
  bool answered() const { return answered_; }
  TimePoint sent_at() const { return sent_at_; }
  TimePoint answered_at() const { return answered_at_; }
  // Null: none.
  const config::Error* failure() const { return failure_ ? &*failure_ : nullptr; }
  // The rest of the request will not be needed.
  void cut_upload() { upload_ = {}; }

  // Waits until the session has left word since the last wait.
  class [[nodiscard]] Changed final : public Wait {
   public:
    Changed(Activity& activity, Http2Stream& stream) : Wait(activity), stream_(stream) {}
    bool await_ready() const { return interrupted() || stream_.has_news_; }
    void await_suspend(std::coroutine_handle<> sequence) {
      stream_.wait_ = this;
      suspend(sequence);
    }
    // False when the activity was interrupted.
    bool await_resume() const {
      stream_.has_news_ = false;
      return !interrupted();
    }

   private:
    void withdraw() override { stream_.wait_ = nullptr; }
    Http2Stream& stream_;
  };
  Changed changed(Activity& activity) { return Changed(activity, *this); }

 private:
  void run() override;
  void leave_word();
  bool refuse(std::string detail);

  Turns& turns_;
  Changed* wait_ = nullptr;
  std::int32_t id_ = 0;
  unsigned interim_ = 0;
  std::size_t fields_ = 0;         // of the head or the trailers being received
  std::size_t trailer_bytes_ = 0;  // counted and dropped
  std::string_view upload_;
  std::string head_;
  std::string body_;
  std::size_t taken_ = 0;  // of body_
  std::optional<config::Error> failure_;
  TimePoint sent_at_;
  TimePoint answered_at_;
  bool has_news_ = false;
  bool sent_ = false;
  bool refused_ = false;
  bool answered_ = false;
  bool head_complete_ = false;
  bool ended_ = false;
};

}  // namespace fetchmill::server::fetch
