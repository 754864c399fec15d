// Takes a body that nobody wants. What stands in its buffer is never looked at, so one serves all.
#pragma once

#include "server/fetch/body_sink.hpp"

#include <array>

namespace fetchmill::server::fetch {

class DrainSink final : public BodySink {
 public:
  void begin(std::optional<std::uint64_t>) override {}
  std::span<char> space(std::size_t) override { return buffer_; }
  Task<config::Result<std::span<char>>> wait_for_space(Activity&, std::size_t) override {
    co_return std::span<char>(buffer_);
  }
  void commit(std::size_t) override {}

 private:
  std::array<char, 16 * 1024> buffer_;
};

}  // namespace fetchmill::server::fetch
