// fetchmill-origin: a scriptable HTTP/1.1 origin server for the demo, the tests and first steps.
//
// It prints one line, "listening http=PORT https=PORT" (0 where it does not listen), and serves
// until it is killed. GET / lists the routes.
#include "tests/support/origin/server.hpp"

#include <csignal>
#include <cstdio>
#include <map>
#include <string>

#include <sys/resource.h>

namespace {

constexpr const char* usage =
    "usage: fetchmill-origin [--listen HOST:PORT] [--tls-listen HOST:PORT --cert FILE --key "
    "FILE]\n";

// One descriptor a connection: the soft limit of 1,024 would be the origin's limit too.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int count, char** arguments) {
  namespace origin = fetchmill::tests::origin;
  std::map<std::string, std::string> flags = {
      {"--listen", ""}, {"--tls-listen", ""}, {"--cert", ""}, {"--key", ""}};
  for (int i = 1; i < count; i += 2) {
    const auto flag = flags.find(arguments[i]);
    if (flag == flags.end() || i + 1 == count) {
      std::fputs(usage, stderr);
      return 2;
    }
    flag->second = arguments[i + 1];
  }
  if (flags["--listen"].empty() && flags["--tls-listen"].empty()) flags["--listen"] = "127.0.0.1:0";

  std::signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  origin::Server server;
  unsigned http = 0;
  unsigned https = 0;
  if (!flags["--listen"].empty()) {
    http = server.listen(flags["--listen"], nullptr);
    if (http == 0) return 1;
  }
  if (!flags["--tls-listen"].empty()) {
    const origin::TlsContext tls = origin::load_tls(flags["--cert"], flags["--key"]);
    if (!tls) return 1;
    https = server.listen(flags["--tls-listen"], tls);
    if (https == 0) return 1;
  }
  std::printf("listening http=%u https=%u\n", http, https);
  std::fflush(stdout);
  server.run();
  return 1;
}
