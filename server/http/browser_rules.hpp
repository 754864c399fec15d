// Which Host and Origin a request may carry, so that a page on another site cannot drive a local
// instance: pure.
//
// Host: refusing foreign names is what makes DNS rebinding gain nothing. Origin: a browser names
// the page's origin on every request that could do harm. Errors: misdirected_request,
// origin_denied.
#pragma once

#include "config/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::server::http {

class BrowserRules {
 public:
  // `hosts` empty: localhost, 127.0.0.1 and [::1] on a loopback listener, any elsewhere. A "*"
  // allows any.
  BrowserRules(std::vector<std::string> hosts, std::vector<std::string> origins,
               bool listens_on_loopback);

  // `host` is the Host field's value, with or without port; `origin` the Origin field's, if there
  // is one.
  std::optional<config::Error> check(std::string_view host,
                                     std::optional<std::string_view> origin) const;
  // Whether the operator listed this origin: its pages may read responses (CORS).
  bool listed(std::string_view origin) const;
  bool lists_any() const { return !origins_.empty(); }

 private:
  bool host_allowed(std::string_view host) const;

  std::vector<std::string> hosts_;  // empty: any
  std::vector<std::string> origins_;
};

// Without the port: "localhost:8080" → "localhost", "[::1]:80" → "[::1]".
std::string_view host_name(std::string_view host);

}  // namespace fetchmill::server::http
