#include "server/http/request_id.hpp"

#include "config/ascii.hpp"
#include "config/hex.hpp"

#include <algorithm>
#include <random>

namespace fetchmill::server::http {

bool well_formed_request_id(std::string_view id) {
  static constexpr std::string_view punctuation = "-_.~:+/=@";
  return !id.empty() && id.size() <= request_id_bytes_max && std::ranges::all_of(id, [](char c) {
    return ascii::is_alphanumeric(c) || punctuation.find(c) != std::string_view::npos;
  });
}

RequestIds::RequestIds() {
  std::random_device source;
  state_ = (static_cast<std::uint64_t>(source()) << 32 | source()) | 1;
}

std::string_view RequestIds::next() {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  text_ = config::hex_digits(state_);
  return {text_.data(), text_.size()};
}

}  // namespace fetchmill::server::http
