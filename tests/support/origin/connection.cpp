#include "tests/support/origin/connection.hpp"

#include "tests/support/origin/request.hpp"
#include "tests/support/origin/routes.hpp"

#include <utility>

namespace fetchmill::tests::origin {

Connection::Connection(int descriptor, SSL_CTX* tls, Counters& counters)
    : transport_(descriptor, tls), counters_(counters) {
  counters_.connections.enter();
  if (tls != nullptr) ++counters_.tls_connections;
}

Connection::~Connection() {
  end_request();
  if (counted_) counters_.connections.leave();
}

bool Connection::on_ready() {
  return read_some() && advance();
}

bool Connection::on_timer() {
  wakes_at_.reset();
  state_ = State::answering;
  return advance();
}

// A client that has hung up is noticed here whatever the script is doing.
bool Connection::read_some() {
  char buffer[64 * 1024];
  for (;;) {
    const IoResult got = transport_.read(buffer);
    if (got.status == IoStatus::closed) return false;
    if (got.status != IoStatus::done) return true;
    if (state_ != State::finished) received_.append(buffer, got.size);
  }
}

bool Connection::advance() {
  for (;;) {
    if (!flush()) return false;
    if (!unsent_.empty()) return true;
    if (state_ == State::reading) {
      if (received_.empty()) return true;
      if (!begin_request()) return false;
      if (state_ == State::reading) return true;
      continue;
    }
    if (state_ != State::answering) return true;
    if (steps_.empty()) {
      end_request();
      if (keep_alive_) {
        state_ = State::reading;
        continue;
      }
      steps_.emplace_back(Close{});
    }
    Step step = std::move(steps_.front());
    steps_.pop_front();
    if (!run_step(std::move(step))) return false;
  }
}

// Stays in `reading` when the request is not complete yet.
bool Connection::begin_request() {
  Request request;
  const ParseStatus status = take_request(received_, request);
  if (status == ParseStatus::incomplete) return true;
  if (status == ParseStatus::invalid) return false;
  if (request.path == counters_path) {
    // Who asks for the counters is not part of what they count.
    if (std::exchange(counted_, false)) {
      counters_.connections.leave();
      --counters_.connections.total;
    }
  } else {
    path_ = &counters_.paths[std::string(counted_path(request))];
    path_->enter();
    counters_.requests.enter();
  }
  keep_alive_ = request.keep_alive;
  for (Step& step : answer(request, counters_)) steps_.push_back(std::move(step));
  state_ = State::answering;
  return true;
}

void Connection::end_request() {
  if (path_ == nullptr) return;
  std::exchange(path_, nullptr)->leave();
  counters_.requests.leave();
}

bool Connection::run_step(Step step) {
  if (Send* send = std::get_if<Send>(&step)) {
    if (!send->data->empty()) unsent_.push_back(std::move(send->data));
  } else if (const Wait* wait = std::get_if<Wait>(&step)) {
    wakes_at_ = Clock::now() + wait->duration;
    state_ = State::waiting;
  } else if (std::holds_alternative<Reset>(step)) {
    transport_.reset();
    return false;
  } else if (std::holds_alternative<Close>(step)) {
    end_request();
    transport_.finish();
    state_ = State::finished;
  } else {
    state_ = State::hanging;
  }
  return true;
}

bool Connection::flush() {
  wants_write_ = false;
  while (!unsent_.empty()) {
    const std::string& data = *unsent_.front();
    const IoResult sent =
        transport_.write({data.data() + unsent_offset_, data.size() - unsent_offset_});
    if (sent.status == IoStatus::closed) return false;
    if (sent.status != IoStatus::done) {
      wants_write_ = sent.status == IoStatus::wants_write;
      return true;
    }
    unsent_offset_ += sent.size;
    if (unsent_offset_ == data.size()) {
      unsent_.pop_front();
      unsent_offset_ = 0;
    }
  }
  return true;
}

}  // namespace fetchmill::tests::origin
