#include "server/fetch/url_policy.hpp"

#include "config/byte_blocks.hpp"
#include "server/fetch/byte_set.hpp"

#include <string>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

Error denied(std::string detail) {
  return Error(ErrorCode::url_denied, std::move(detail));
}

// Control characters: C0, DEL, and C1 in UTF-8.
bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      return true;
  }
  return false;
}

// What any of those begins with that check_text refuses; most texts have none.
constexpr ByteSet suspicious = ByteSet("\\\x7f\xc2").add(0x00, 0x1f);

// What the standard would repair or pass on, and attackers use to make two parsers disagree.
config::Result<void> check_text(std::string_view text) {
  if (text.size() > url_bytes_max)
    return denied("the URL is longer than " + std::to_string(url_bytes_max) + " bytes");
  const std::size_t first = config::first_byte(
      text, 0,
      [](config::ByteBlock block) {
        return (block < 0x20) | (block == 0x7f) | (block == 0xc2) | (block == '\\');
      },
      [](char c) { return suspicious.has(c); });
  if (first == text.size()) return {};
  if (has_control(text)) return denied("the URL contains a control character");
  if (text.find('\\') != std::string_view::npos)
    return denied("the URL contains a backslash; percent-encode it as %5C");
  return {};
}

// RFC 1035 2.3.4. What does not fit would be refused later, after it took room in tables of origins
// and of names.
bool fits_a_question(std::string_view name) {
  constexpr std::size_t name_max = 253;
  constexpr std::size_t label_max = 63;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > name_max) return false;
  while (name.size() > label_max) {
    const std::size_t dot = name.find('.');
    if (dot > label_max) return false;
    name.remove_prefix(dot + 1);
  }
  return true;
}

config::Result<void> check_parsed(const Url& url, const UrlRules& rules, DenyReason& reason) {
  if (url.userinfo)
    return denied(
        "the URL contains credentials (\"user@\" before the host); send a header instead");
  // "127.0.0.1.." is a name to the standard and an address to who drops dots; it resolves nowhere.
  if (!url.host.address &&
      (url.host.text.starts_with('.') || url.host.text.find("..") != std::string::npos))
    return denied("the URL's host has an empty label");
  if (!url.host.address && !fits_a_question(url.host.text))
    return Error(
        ErrorCode::dns_failed,
        "the URL's host is longer than 253 characters or has a label longer than 63: not a "
        "name that can be looked up");
  if (const auto listed = check_lists(url, rules.hosts, reason); !listed) return listed.error();
  const AddressPolicy& policy = rules.addresses;
  Verdict verdict;
  if (url.host.address)
    verdict = policy.judge(*url.host.address, url.port);
  else if (!policy.port_possible(url.port))
    verdict = {DenyReason::port};
  if (verdict.allowed()) return {};
  reason = verdict.reason;
  return denial(url, verdict);
}

// For text without a scheme, or with what looks like one: "example.com:8080/x".
std::string suggestion(std::string_view text) {
  constexpr std::size_t shown_bytes_max = 200;
  // A single word before a colon is rather a scheme than a host: "javascript:1".
  const std::string_view word = text.substr(0, text.find_first_of(".:/?#["));
  if (text.substr(word.size()).starts_with(':') && word != "localhost") return {};
  const std::string_view glue = text.starts_with("//") ? "https:" : "https://";
  const auto guess = parse_url(std::string(glue) + std::string(text));
  if (!guess || guess->userinfo) return {};
  const std::string href = guess->href();
  if (href.size() > shown_bytes_max) return {};
  return "; did you mean " + href + " ?";
}

config::Result<Url> parsed_and_checked(const Url* base, std::string_view text,
                                       const UrlRules& rules, DenyReason& reason) {
  auto url = base != nullptr ? resolve_url(*base, text) : parse_url(text);
  if (!url) return url;
  if (auto fine = check_parsed(*url, rules, reason); !fine)
    url = std::move(fine).error();
  else
    reason = DenyReason::none;
  return url;
}

config::Result<Url> checked(const Url* base, std::string_view text, const UrlRules& rules,
                            DenyReason* reason_out) {
  DenyReason unused = DenyReason::none;
  DenyReason& reason = reason_out != nullptr ? *reason_out : unused;
  reason = DenyReason::url;
  if (auto fine = check_text(text); !fine) return std::move(fine).error();
  return parsed_and_checked(base, text, rules, reason);
}

std::string_view description(DenyReason reason) {
  switch (reason) {
    case DenyReason::loopback:
      return "is a loopback address";
    case DenyReason::private_use:
      return "is a private address";
    case DenyReason::link_local:
      return "is a link-local address";
    case DenyReason::multicast:
      return "is a multicast address";
    case DenyReason::documentation:
      return "is an address for documentation";
    case DenyReason::metadata:
      return "is the address of a cloud metadata service";
    case DenyReason::cgnat:
      return "is an address shared inside a provider's network";
    case DenyReason::unspecified:
    case DenyReason::reserved:
    case DenyReason::embedded_ipv4:
      return "is not a public address";
    default:
      return "is not allowed here";
  }
}

}  // namespace

config::Result<UrlRules> make_url_rules(const config::Settings::Fetch& settings,
                                        std::vector<Address> own) {
  auto addresses = make_address_policy(settings.allow_networks, settings.deny_networks,
                                       settings.allow_ports, std::move(own));
  auto hosts = make_host_policy(settings.allow_hosts, settings.deny_hosts, settings.schemes);
  if (addresses && hosts) return UrlRules{std::move(*addresses), std::move(*hosts)};
  if (addresses) return hosts.error();
  Error both = addresses.error();
  if (!hosts) both.detail += "; " + hosts.error().detail;
  return both;
}

config::Result<void> check_lists(const Url& url, const HostPolicy& hosts, DenyReason& reason) {
  const HostVerdict verdict = hosts.judge(to_string(url.scheme), url.host);
  if (verdict == HostVerdict::allowed) return {};
  reason = verdict == HostVerdict::scheme ? DenyReason::scheme : DenyReason::host;
  if (verdict == HostVerdict::scheme)
    return denied(std::string(to_string(url.scheme)) +
                  " URLs are not allowed here (fetch.schemes)");
  const std::string_view list = verdict == HostVerdict::denied_host
                                    ? " is refused here (fetch.deny_hosts)"
                                    : " is not among those allowed here (fetch.allow_hosts)";
  return denied("the host " + url.host.text + std::string(list));
}

config::Result<Url> check_url(std::string_view text, const UrlRules& rules, DenyReason* reason) {
  auto result = checked(nullptr, text, rules, reason);
  if (result) return result;
  Error& error = result.error();
  error.field = "url";
  const bool scheme_missing = text.find("://") == std::string_view::npos;
  if (scheme_missing && !text.empty() && error.code != ErrorCode::address_denied &&
      check_text(text))
    error.detail += suggestion(text);
  return result;
}

config::Result<Url> check_redirect(const Url& base, std::string_view location,
                                   const UrlRules& rules, DenyReason* reason) {
  auto result = checked(&base, location, rules, reason);
  if (!result) {
    result.error().detail.insert(0, "redirect refused: ");
    return result;
  }
  const std::optional<std::string_view> inherited = base.fragment();
  if (inherited && !result->fragment()) result->tail.append("#").append(*inherited);
  return result;
}

Error denial(const Url& url, Verdict verdict) {
  if (verdict.reason == DenyReason::port)
    return Error(ErrorCode::address_denied, "port " + std::to_string(url.port) +
                                                " is not allowed; the operator can add it to "
                                                "fetch.allow_ports");
  if (url.host.address)
    return Error(ErrorCode::address_denied,
                 to_string(*url.host.address) + ' ' + std::string(description(verdict.reason)));
  // What the name resolves to is not the caller's business: it may be an inside name.
  return Error(ErrorCode::address_denied,
               "the host " + url.host.text + " has an address that is not allowed");
}

}  // namespace fetchmill::server::fetch
