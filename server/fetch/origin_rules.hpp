// What holds for which origin: the entries [origins.NAME], the first that matches, and [fetch] for
// all others. A pure lookup; the files of TLS are read when the rules are made.
//
// Owner: the Fetcher. Lifetime: outlives what refers to its rules. Process: loop.
#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"
#include "server/fetch/origin_pattern.hpp"
#include "server/fetch/pacing.hpp"
#include "server/fetch/tls.hpp"
#include "server/fetch/url.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch {

struct OriginRule {
  const TlsContext* tls = nullptr;
  std::size_t connections_max = 0;
  Pacing::Limits pace;
};

class OriginRules {
 public:
  // Blocking, for start-up. Errors: invalid_request, in words for the operator, with the setting's
  // name in `field`.
  static config::Result<OriginRules> make(const config::Settings::Fetch& settings,
                                          std::span<const config::Settings::Origin> entries);

  [[nodiscard]] const OriginRule& of(const Url& url) const;
  [[nodiscard]] const OriginRule& general() const { return general_; }

 private:
  struct Entry {
    std::vector<OriginPattern> match;
    OriginRule rule;
  };
  config::Result<const TlsContext*> add_tls(const TlsFiles& files, std::string_view section,
                                            bool http2);
  config::Result<Entry> read(const config::Settings::Fetch& settings,
                             const config::Settings::Origin& from);

  std::vector<std::unique_ptr<TlsContext>> tls_;  // rules point to them
  std::vector<Entry> entries_;
  OriginRule general_;
};

// Which of the TLS files that the settings name cannot be used: every mistake, as OriginRules::make
// tells the first. Blocking.
std::vector<config::Error> tls_file_faults(const config::Settings::Fetch& settings,
                                           std::span<const config::Settings::Origin> entries);

}  // namespace fetchmill::server::fetch
