// Fetches through the cache, and the words their tests are written in.
#pragma once

#include "tests/unit/server/fetch_fixture.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fetchmill::server::fetch::testing {

inline constexpr std::string_view fresh = "Cache-Control: max-age=60\r\n";

// Answers so many requests on one connection, one after the other.
inline Script answering(std::vector<std::string> responses,
                        std::vector<std::string>* requests = nullptr) {
  return [responses = std::move(responses), requests](Peer& peer) {
    for (const std::string& response : responses) {
      const std::string request = peer.read_request();
      if (request.empty()) return;
      if (requests) requests->push_back(request);
      peer.send(response);
    }
  };
}

inline std::string not_modified(std::string_view fields) {
  return "HTTP/1.1 304 Not Modified\r\n" + std::string(fields) + "\r\n";
}

class FetchCacheTest : public FetchTest {
 protected:
  FetchCacheTest() { settings.fetch.cache_mb = 64; }
  // "body result", or the error's code.
  std::string fetched(FetchRequest made) {
    Fetched one;
    fetch(std::move(made), one);
    return said(one);
  }
  std::string fetched(const std::string& url) { return fetched(request(url)); }
  static std::string said(const Fetched& one) {
    if (!one.ok()) return one.error();
    return one.sink.body + ' ' + std::string(to_string(one.response.cache.result));
  }
};

}  // namespace fetchmill::server::fetch::testing
