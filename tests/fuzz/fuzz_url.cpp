// links: fetchmill_url fetchmill_config
// URL parser and policy: what is accepted is clean, stays what it is when parsed again, and never
// names a forbidden address.
#include "server/fetch/url_policy.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace fetchmill::server::fetch;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_printable(std::string_view text) {
  for (const char c : text)
    if (c <= 0x20 || c >= 0x7f) return false;
  return true;
}

void check_clean(const Url& url) {
  require(is_printable(url.href()));
  require(!url.host.text.empty());
  require(url.host.text.find_first_of("/\\@?#% ") == std::string::npos);
  require(url.path().starts_with('/'));
  require(url.path().find_first_of("\\?#") == std::string::npos);
  require((url.host.kind == HostKind::domain) == !url.host.address);
}

void check_fixpoint(const Url& url) {
  const auto again = parse_url(url.href());
  require(again.has_value());
  require(again->href() == url.href());
  require(again->host == url.host);
  require(again->port == url.port);
  require(again->request_target() == url.request_target());
  const auto resolved = resolve_url(url, url.href());
  require(resolved.has_value());
  require(resolved->href() == url.href());
}

void check_policy(const Url& base, std::string_view text) {
  const UrlRules policy;
  for (const auto& result : {check_url(text, policy), check_redirect(base, text, policy)}) {
    if (!result) {
      for (const char c : result.error().detail) require(c >= 0x20 && c < 0x7f);
      continue;
    }
    check_clean(*result);
    require(!result->userinfo);
    require(result->request_target().find('\\') == std::string::npos);
    if (result->host.address)
      require(policy.addresses.judge(*result->host.address, result->port).allowed());
    // What goes on the wire is judged as it was here.
    require(check_url(result->href(), policy).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Url fixed_base = parse_url("https://a.example:8443/x/y?q#f").value();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // A first line, if there is one, is the base of the rest.
  const std::size_t split = text.find('\n');
  Url base = fixed_base;
  std::string_view reference = text;
  if (split != std::string_view::npos) {
    if (const auto parsed = parse_url(text.substr(0, split))) base = *parsed;
    reference = text.substr(split + 1);
  }
  for (const auto& url : {parse_url(reference), resolve_url(base, reference)}) {
    if (!url) continue;
    check_clean(*url);
    check_fixpoint(*url);
  }
  // A redirect comes from a URL that was fetched.
  const auto fetched = check_url(base.href(), {});
  check_policy(fetched ? *fetched : fixed_base, reference);
  if (const auto network = parse_network(text)) {
    const auto again = parse_network(to_string(*network));
    require(again.has_value() && *again == *network);
  }
  return 0;
}
