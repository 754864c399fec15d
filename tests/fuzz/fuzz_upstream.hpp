// What the fuzzers of exchanges stand on: a loop, and an upstream that sends any bytes, cut into
// pieces, whatever it is asked.
//
// Process: the fuzzer's only one.
#pragma once

#include "server/deadlines.hpp"
#include "server/fetch/exchange.hpp"
#include "server/poller.hpp"
#include "tests/support/fuzz_check.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server::fetch {

struct FuzzLoop {
  asio::io_context io{loop_concurrency};
  Poller poller{io};
  Deadlines deadlines{io};
  Turns turns{io};
  config::Counter bytes_in, bytes_out;
  ExchangeShared shared{turns, bytes_in, bytes_out};
  // Until there is nothing more to do at once.
  void settle() {
    io.restart();
    io.poll();
  }
};

class FuzzUpstream {
 public:
  // Fewer than a socket takes at once.
  static constexpr std::size_t piece_bytes_max = 60'000;

  FuzzUpstream() {
    support::check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_.data()) == 0,
                   "socketpair");
  }
  // The end of a Connection, which closes it.
  int theirs() const { return ends_[0]; }
  int own() const { return ends_[1]; }

  // Settles before each piece, and after the last.
  void send(std::string_view bytes, std::size_t piece, auto& loop) const {
    while (!bytes.empty()) {
      loop.settle();
      const std::string_view next = bytes.substr(0, std::min(piece, piece_bytes_max));
      bytes.remove_prefix(next.size());
      if (::send(own(), next.data(), next.size(), MSG_NOSIGNAL) < 0) break;
    }
    loop.settle();
  }
  // Requires: once.
  void close(auto& loop) const {
    ::close(own());
    loop.settle();
  }

 private:
  std::array<int, 2> ends_{};
};

}  // namespace fetchmill::server::fetch
