#include "server/fetch/origin_rules.hpp"

#include <algorithm>
#include <utility>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

std::uint64_t or_general(std::uint64_t own, std::uint64_t general) {
  return own != 0 ? own : general;
}

}  // namespace

config::Result<const TlsContext*> OriginRules::add_tls(const TlsFiles& files,
                                                       std::string_view section, bool http2) {
  config::Result<TlsContext> made = TlsContext::make(files, section, http2);
  if (!made) return made.error();
  return tls_.emplace_back(std::make_unique<TlsContext>(std::move(*made))).get();
}

config::Result<OriginRules::Entry> OriginRules::read(const config::Settings::Fetch& settings,
                                                     const config::Settings::Origin& from) {
  const std::string section = "origins." + from.entry_name;
  Entry entry;
  for (const std::string& text : from.match) {
    const config::Result<OriginPattern> pattern = parse_origin_pattern(text);
    if (!pattern)
      return Error(ErrorCode::invalid_request, '"' + text + "\": " + pattern.error().detail,
                   section + ".match");
    entry.match.push_back(*pattern);
  }
  OriginRule& rule = entry.rule;
  rule.tls = general_.tls;
  if (!from.ca_file.empty() || !from.client_certificate_file.empty()) {
    const bool has_own = !from.ca_file.empty();
    const TlsFiles files{has_own ? from.ca_file : settings.ca_file, from.client_certificate_file,
                         from.client_key_file};
    const config::Result<const TlsContext*> tls =
        add_tls(files, section, settings.http2 == config::Switch::on);
    if (!tls) return tls.error();
    rule.tls = *tls;
  }
  rule.connections_max = or_general(from.max_connections, general_.connections_max);
  rule.pace = {static_cast<double>(or_general(from.rate, settings.rate_per_origin)),
               static_cast<double>(or_general(from.burst, settings.burst_per_origin))};
  return entry;
}

config::Result<OriginRules> OriginRules::make(const config::Settings::Fetch& settings,
                                              std::span<const config::Settings::Origin> entries) {
  OriginRules rules;
  const config::Result<const TlsContext*> tls =
      rules.add_tls({settings.ca_file, {}, {}}, "fetch", settings.http2 == config::Switch::on);
  if (!tls) return tls.error();
  rules.general_ = {*tls,
                    settings.max_connections_per_origin,
                    {static_cast<double>(settings.rate_per_origin),
                     static_cast<double>(settings.burst_per_origin)}};
  for (const config::Settings::Origin& from : entries) {
    config::Result<Entry> entry = rules.read(settings, from);
    if (!entry) return entry.error();
    rules.entries_.push_back(std::move(*entry));
  }
  return rules;
}

std::vector<Error> tls_file_faults(const config::Settings::Fetch& settings,
                                   std::span<const config::Settings::Origin> entries) {
  std::vector<Error> faults;
  const auto try_files = [&faults](const TlsFiles& files, std::string_view section) {
    if (auto made = TlsContext::make(files, section, false); !made)
      faults.push_back(std::move(made).error());
  };
  if (!settings.ca_file.empty()) try_files({settings.ca_file, {}, {}}, "fetch");
  for (const config::Settings::Origin& from : entries) {
    const std::string section = "origins." + from.entry_name;
    if (!from.ca_file.empty()) try_files({from.ca_file, {}, {}}, section);
    if (!from.client_certificate_file.empty() && !from.client_key_file.empty())
      try_files({{}, from.client_certificate_file, from.client_key_file}, section);
  }
  return faults;
}

const OriginRule& OriginRules::of(const Url& url) const {
  for (const Entry& entry : entries_)
    if (std::any_of(entry.match.begin(), entry.match.end(),
                    [&](const OriginPattern& pattern) { return pattern.matches(url); }))
      return entry.rule;
  return general_;
}

}  // namespace fetchmill::server::fetch
