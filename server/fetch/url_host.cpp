#include "server/fetch/url_host.hpp"

#include "config/ascii.hpp"
#include "config/percent.hpp"
#include "server/wire/chars.hpp"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>

#include <boost/container/static_vector.hpp>
#include <idn2.h>

namespace fetchmill::server::fetch {
namespace {

using config::ErrorCode;
using config::percent_decode;

config::Error bad_host(std::string_view problem) {
  return config::Error(ErrorCode::url_denied, "the URL's host " + std::string(problem));
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// The standard's forbidden domain code points, among ASCII.
bool is_forbidden(char c) {
  if (wire::is(wire::host_char, c)) return false;
  constexpr std::string_view printable = "#%/:<>?@[\\]^|";
  return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f ||
         printable.find(c) != std::string_view::npos;
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> wanted) {
  return std::any_of(wanted.begin(), wanted.end(), [text](std::string_view each) {
    return text.find(each) != std::string_view::npos;
  });
}

struct IdnaResult {
  int status;
  std::string ascii;
};

IdnaResult run_idna(const std::string& domain, int flags) {
  std::uint8_t* raw = nullptr;
  const auto* const input = reinterpret_cast<const std::uint8_t*>(domain.c_str());
  const int status = idn2_lookup_u8(input, &raw, flags | IDN2_NFC_INPUT);
  const std::unique_ptr<std::uint8_t, void (*)(void*)> owned(raw, idn2_free);
  return {status, status == IDN2_OK ? reinterpret_cast<const char*>(raw) : std::string()};
}

// UTS 46 as the standard asks for: non-transitional, without STD3 rules (what the standard keeps of
// them is is_forbidden). libidn2 checks hyphens where the standard does not.
config::Result<std::string> to_ascii_by_idna(std::string domain) {
  constexpr std::string_view capital_sharp_s = "\xe1\xba\x9e";
  constexpr std::string_view sharp_s = "\xc3\x9f";
  // libidn2's tables still make "ss" of the capital, which is another name.
  for (std::size_t at = 0; (at = domain.find(capital_sharp_s, at)) != std::string::npos;)
    domain.replace(at, capital_sharp_s.size(), sharp_s);

  IdnaResult result = run_idna(domain, IDN2_NONTRANSITIONAL);
  // libidn2 adds IDNA 2008's ban on symbols to UTS 46, except in its transitional mode, which
  // differs for four characters only: sharp s, final sigma and the two joiners.
  if (result.status == IDN2_DISALLOWED &&
      !contains_any(domain, {sharp_s, "\xcf\x82", "\xe2\x80\x8c", "\xe2\x80\x8d"}))
    result = run_idna(domain, IDN2_TRANSITIONAL);
  if (result.status != IDN2_OK) return bad_host("is not a valid internationalised domain name");
  return std::move(result.ascii);
}

// The standard's "domain to ASCII" with beStrict false.
config::Result<std::string> domain_to_ascii(std::string domain) {
  constexpr std::string_view problem = "contains a character that is not allowed in a host name";
  // libidn2 takes a C string.
  if (domain.find('\0') != std::string::npos) return bad_host(problem);
  if (is_ascii(domain)) {
    for (char& c : domain) c = ascii::to_lower(c);
  } else {
    auto ascii = to_ascii_by_idna(std::move(domain));
    if (!ascii) return ascii.error();
    domain = std::move(*ascii);
  }
  if (domain.empty()) return bad_host("is empty");
  if (!is_ascii(domain) || std::any_of(domain.begin(), domain.end(), is_forbidden))
    return bad_host(problem);
  return domain;
}

// A domain as it stands in a URL.
config::Result<std::string> read_domain(std::string_view text) {
  // In most there is nothing to decode, to map or to refuse.
  const bool is_plain = wire::span_of(wire::host_char, text) == text.size();
  if (is_plain && !text.empty()) return ascii::to_lower(text);
  return domain_to_ascii(percent_decode(text));
}

struct Ipv4Number {
  std::uint64_t value = 0;
  bool valid = true;
};

// The standard's IPv4 number parser. Whether a value fits is for the caller to see.
Ipv4Number parse_ipv4_number(std::string_view text) {
  if (text.empty()) return {0, false};
  unsigned base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() >= 2 && text.front() == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  constexpr std::uint64_t ceiling = std::uint64_t{1}
                                    << 40;  // far above any address, far from overflow
  Ipv4Number number;
  for (const char c : text) {
    const int digit = ascii::hex_value(c);
    if (digit < 0 || static_cast<unsigned>(digit) >= base) return {0, false};
    number.value = std::min(number.value * base + static_cast<unsigned>(digit), ceiling);
  }
  return number;
}

// As many as an address may have, a last empty one included, and one more where there are more.
using Parts = boost::container::static_vector<std::string_view, 6>;

Parts split_at_dots(std::string_view text) {
  Parts parts;
  while (parts.size() < parts.capacity()) {
    const std::size_t dot = text.find('.');
    parts.push_back(text.substr(0, dot));
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  return parts;
}

// The standard's "ends in a number" checker: such a host is an IPv4 address or nothing.
bool ends_in_number(std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  const std::string_view last = domain.substr(domain.rfind('.') + 1);  // npos + 1 is 0
  const bool all_digits = !last.empty() && std::all_of(last.begin(), last.end(), ascii::is_digit);
  return all_digits || parse_ipv4_number(last).valid;
}

// The standard's IPv4 parser.
config::Result<Address> parse_ipv4(std::string_view text) {
  Parts parts = split_at_dots(text);
  if (parts.back().empty() && parts.size() > 1) parts.pop_back();
  if (parts.size() > 4) return bad_host("ends in a number but is not an IPv4 address");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Ipv4Number number = parse_ipv4_number(parts[i]);
    const bool last = i + 1 == parts.size();
    // The last part fills all the bytes the others left.
    const std::uint64_t limit = std::uint64_t{1} << (last ? 8 * (4 - i) : 8);
    if (!number.valid || number.value >= limit)
      return bad_host("ends in a number but is not an IPv4 address");
    value += last ? number.value : number.value << (8 * (3 - i));
  }
  return make_ipv4(static_cast<std::uint32_t>(value));
}

config::Result<Host> parse_bracketed(std::string_view text) {
  if (text.size() < 2 || text.back() != ']') return bad_host("has a bracket that is not closed");
  const std::string_view inside = text.substr(1, text.size() - 2);
  if (inside.find('%') != std::string_view::npos)
    return bad_host("is an IPv6 address with a zone identifier, which is not allowed");
  const auto address = parse_address(inside);
  if (!address || address->is_ipv4()) return bad_host("is not a valid IPv6 address");
  return Host{'[' + to_string(*address) + ']', *address, HostKind::ipv6};
}

}  // namespace

config::Result<Host> parse_host(std::string_view text) {
  if (text.starts_with('[')) return parse_bracketed(text);
  // An address in the form that it has on the wire needs no other look.
  const auto plain = parse_address(text);
  if (plain && plain->is_ipv4()) return Host{std::string(text), plain, HostKind::ipv4};
  auto domain = read_domain(text);
  if (!domain) return domain.error();
  if (!ends_in_number(*domain)) return Host{std::move(*domain), std::nullopt, HostKind::domain};
  const auto address = parse_ipv4(*domain);
  if (!address) return address.error();
  return Host{to_string(*address), *address, HostKind::ipv4};
}

}  // namespace fetchmill::server::fetch
