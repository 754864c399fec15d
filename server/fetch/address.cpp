#include "server/fetch/address.hpp"

#include "config/ascii.hpp"
#include "config/whole_number.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace fetchmill::server::fetch {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Four decimal parts without leading zeros and nothing else.
std::optional<std::uint32_t> parse_dotted(std::string_view text) {
  std::uint32_t value = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (text.empty() || text.front() != '.') return std::nullopt;
      text.remove_prefix(1);
    }
    unsigned octet = 0;
    std::size_t digits = 0;
    while (digits < text.size() && ascii::is_digit(text[digits])) {
      if (digits == 3 || (digits == 1 && octet == 0)) return std::nullopt;
      octet = octet * 10 + static_cast<unsigned>(text[digits++] - '0');
    }
    if (digits == 0 || octet > 255) return std::nullopt;
    value = value << 8 | octet;
    text.remove_prefix(digits);
  }
  if (!text.empty()) return std::nullopt;
  return value;
}

// The eight pieces while they are read; `compress` is where "::" stood.
struct Pieces {
  std::array<std::uint16_t, 8> values{};
  std::size_t count = 0;
  std::optional<std::size_t> compress;

  [[nodiscard]] bool push(unsigned value) {
    if (count == values.size()) return false;
    values[count++] = static_cast<std::uint16_t>(value);
    return true;
  }
  [[nodiscard]] bool finish() {
    if (!compress) return count == values.size();
    if (count == values.size()) return false;
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(*compress);
    const auto last = values.begin() + static_cast<std::ptrdiff_t>(count);
    std::fill(first, std::move_backward(first, last, values.end()), 0);
    return true;
  }
};

std::optional<Address> parse_ipv6(std::string_view text) {
  Pieces pieces;
  if (text.starts_with("::")) {
    pieces.compress = 0;
    text.remove_prefix(2);
  } else if (text.starts_with(':')) {
    return std::nullopt;
  }
  while (!text.empty()) {
    unsigned value = 0;
    const char* const end = text.data() + std::min<std::size_t>(text.size(), 4);
    const auto digits =
        static_cast<std::size_t>(std::from_chars(text.data(), end, value, 16).ptr - text.data());
    if (digits < text.size() && text[digits] == '.') {
      const auto dotted = parse_dotted(text);
      if (!dotted || !pieces.push(*dotted >> 16) || !pieces.push(*dotted & 0xffff))
        return std::nullopt;
      break;
    }
    if (digits == 0 || !pieces.push(value)) return std::nullopt;
    text.remove_prefix(digits);
    if (text.empty()) break;
    if (text.front() != ':') return std::nullopt;
    text.remove_prefix(1);
    if (text.starts_with(':')) {
      if (pieces.compress) return std::nullopt;
      pieces.compress = pieces.count;
      text.remove_prefix(1);
    } else if (text.empty()) {
      return std::nullopt;
    }
  }
  if (!pieces.finish()) return std::nullopt;
  Address address;
  address.family = Family::ipv6;
  for (std::size_t i = 0; i < pieces.values.size(); ++i) {
    address.bytes[2 * i] = static_cast<std::uint8_t>(pieces.values[i] >> 8);
    address.bytes[2 * i + 1] = static_cast<std::uint8_t>(pieces.values[i]);
  }
  return address;
}

std::string format_ipv6(const Address& address) {
  std::array<unsigned, 8> pieces{};
  for (std::size_t i = 0; i < 8; ++i)
    pieces[i] = static_cast<unsigned>(address.bytes[2 * i] << 8 | address.bytes[2 * i + 1]);
  std::size_t run_start = 8;
  std::size_t run_length = 1;  // a single zero piece is not compressed
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && pieces[end] == 0) ++end;
    if (end - i > run_length) {
      run_start = i;
      run_length = end - i;
    }
    i = end + 1;
  }
  std::string text;
  for (std::size_t i = 0; i < 8;) {
    if (i == run_start) {
      text += "::";
      i += run_length;
      continue;
    }
    if (i > 0 && text.back() != ':') text += ':';
    std::array<char, 4> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), pieces[i], 16).ptr;
    text.append(digits.begin(), end);
    ++i;
  }
  return text;
}

config::Error bad_network(std::string_view text, std::string_view problem) {
  return config::Error(config::ErrorCode::invalid_request,
                       '"' + std::string(text) + "\" " + std::string(problem));
}

Address masked(const Address& address, unsigned prefix_bits) {
  Address out = address;
  for (unsigned i = 0; i < out.bytes.size(); ++i) {
    const unsigned keep = std::min(8U, prefix_bits > 8 * i ? prefix_bits - 8 * i : 0U);
    out.bytes[i] &= static_cast<std::uint8_t>(0xff00U >> keep);
  }
  return out;
}

}  // namespace

std::uint32_t Address::ipv4_value() const {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
         std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
}

Address make_ipv4(std::uint32_t value) {
  Address address;
  for (unsigned i = 0; i < 4; ++i)
    address.bytes[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
  return address;
}

Address make_ipv6(const std::array<std::uint8_t, 16>& bytes) {
  return Address{bytes, Family::ipv6};
}

std::optional<Address> parse_address(std::string_view text) {
  if (text.find(':') != std::string_view::npos) return parse_ipv6(text);
  const auto value = parse_dotted(text);
  if (!value) return std::nullopt;
  return make_ipv4(*value);
}

std::string to_string(const Address& address) {
  if (!address.is_ipv4()) return format_ipv6(address);
  std::string text;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) text += '.';
    text += std::to_string(address.bytes[i]);
  }
  return text;
}

Address unmapped(const Address& address) {
  if (address.is_ipv4()) return address;
  if (!std::equal(mapped_prefix.begin(), mapped_prefix.end(), address.bytes.begin()))
    return address;
  Address out;
  std::copy(address.bytes.begin() + 12, address.bytes.end(), out.bytes.begin());
  return out;
}

std::optional<Address> from_sockaddr(const sockaddr* from) {
  // memcpy: the caller's storage need not be of the family's own type.
  if (from->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, from, sizeof in);
    return make_ipv4(ntohl(in.sin_addr.s_addr));
  }
  if (from->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, from, sizeof in);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    return make_ipv6(bytes);
  }
  return std::nullopt;
}

socklen_t to_sockaddr(const Address& address, std::uint16_t port, sockaddr_storage& to) {
  to = {};
  if (address.is_ipv4()) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    out.sin_addr.s_addr = htonl(address.ipv4_value());
    std::memcpy(&to, &out, sizeof out);
    return sizeof out;
  }
  sockaddr_in6 out{};
  out.sin6_family = AF_INET6;
  out.sin6_port = htons(port);
  std::memcpy(&out.sin6_addr, address.bytes.data(), address.bytes.size());
  std::memcpy(&to, &out, sizeof out);
  return sizeof out;
}

bool Network::contains(const Address& address) const {
  return address.family == base.family && masked(address, prefix_bits) == base;
}

config::Result<Network> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return bad_network(text, "is not an IP address or a network like 10.0.0.0/8");
  const auto bits_max = static_cast<unsigned>(address->size_bytes() * 8);
  Network network{*address, bits_max};
  if (slash != std::string_view::npos) {
    const auto bits = config::parse_whole_number<unsigned>(text.substr(slash + 1));
    if (!bits || *bits > bits_max)
      return bad_network(text, "needs a prefix of 0 to " + std::to_string(bits_max) + " bits");
    network.prefix_bits = *bits;
  }
  const Address base = masked(*address, network.prefix_bits);
  if (base != *address)
    return bad_network(text, "has bits set behind its prefix; did you mean " +
                                 to_string(Network{base, network.prefix_bits}) + "?");
  if (const Address plain = unmapped(base); plain != base && network.prefix_bits >= 96)
    return Network{plain, network.prefix_bits - 96};
  return network;
}

std::string to_string(const Network& network) {
  return to_string(network.base) + '/' + std::to_string(network.prefix_bits);
}

}  // namespace fetchmill::server::fetch
