// Secrets that the operator lends to tasks by name, [credentials.NAME]: which goes with which
// request. Pure.
//
// A credential stays apart from a request's own headers, so that nothing that shows or keeps those
// has it, and is judged anew for every hop. Lifetime: a request keeps its credential alive, also
// when a reload has taken it away.
#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"
#include "server/fetch/origin_pattern.hpp"
#include "server/fetch/request.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fetchmill::server::fetch {

struct Credential {
  std::vector<OriginPattern> origins;
  std::vector<wire::Method> methods;
  Header header;

  [[nodiscard]] bool is_for(const Url& url, wire::Method method) const;
};

class Credentials {
 public:
  // Errors: invalid_request, in words for the operator, with the setting's name in `field`.
  static config::Result<Credentials> make(std::span<const config::Settings::Credential> settings);

  // Has the credential sent with `request`. Errors, with `field` "credential": invalid_request
  // (none of that name, or the request has that header itself), credential_denied (not for that
  // origin, or not with that method).
  config::Result<void> lend(std::string_view name, FetchRequest& request) const;

 private:
  std::vector<std::pair<std::string, std::shared_ptr<const Credential>>> by_name_;
};

}  // namespace fetchmill::server::fetch
