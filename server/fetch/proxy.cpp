#include "server/fetch/proxy.hpp"

#include "config/percent.hpp"
#include "server/fetch/url.hpp"

#include <openssl/evp.h>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;
using config::percent_decode;

std::string base64(const std::string& text) {
  std::string out((text.size() + 2) / 3 * 4 + 1, '\0');  // and the terminating NUL
  const int bytes = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(bytes));
  return out;
}

}  // namespace

config::Result<Proxy> parse_proxy(std::string_view text) {
  const config::Result<Url> url = parse_url(text);
  if (!url || url->tail != "/")
    return Error(ErrorCode::invalid_request, "not the URL of a proxy", "fetch.proxy");
  Proxy proxy{url->host, url->port, url->is_https(), {}};
  if (url->userinfo)
    proxy.authorization =
        "Basic " + base64(percent_decode(url->username()) + ':' + percent_decode(url->password()));
  return proxy;
}

std::string connect_request(const Proxy& proxy, const Address& target, std::uint16_t port) {
  const std::string address = to_string(target);
  const std::string authority =
      (target.is_ipv4() ? address : '[' + address + ']') + ':' + std::to_string(port);
  std::string request = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  if (!proxy.authorization.empty())
    request += "Proxy-Authorization: " + proxy.authorization + "\r\n";
  return request + "\r\n";
}

Error tunnel_refusal(unsigned status) {
  std::string detail = "the proxy refused the tunnel with status " + std::to_string(status);
  if (status == 407) detail += ": it wants (other) credentials than fetch.proxy has";
  Error error(ErrorCode::connect_failed, std::move(detail));
  error.permanent = status < 500 && status != 408 && status != 429;
  error.at_proxy = !is_about_the_address(status);
  return error;
}

bool is_about_the_address(unsigned status) {
  return status == 500 || (status >= 502 && status <= 504);
}

}  // namespace fetchmill::server::fetch
