// What /etc/resolv.conf says besides the name servers, which c-ares reads: search domains and how
// patiently to ask. Read once at start.
//
// Trust: the file is the operator's; lines that make no sense are skipped.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch {

struct ResolvConf {
  std::vector<std::string> search;      // of "search" or "domain", whichever comes last
  std::size_t ndots = 1;                // a name with fewer dots is looked for in these first
  std::chrono::milliseconds timeout{};  // of one query to one server; zero: not said
  int attempts = 0;                     // per server; zero: not said
};

ResolvConf parse_resolv_conf(std::string_view text);

// The names that stand for `name`, in the order in which they are to be asked for. None for .onion,
// which must not reach a name server (RFC 7686).
std::vector<std::string> names_to_ask(std::string_view name, const ResolvConf& conf);

}  // namespace fetchmill::server::fetch
