#include "tests/fault/options.hpp"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string_view>

namespace fetchmill::tests::fault {
namespace {

constexpr const char* usage =
    "fetchmill-fault: a server under load whose workers are killed at random moments.\n"
    "Nothing may be lost, doubled, torn or wrong; see tests/fault/README.md.\n\n"
    "  --server FILE     fetchmill-testing (required)\n"
    "  --origin FILE     fetchmill-origin (required)\n"
    "  --seed N          the same seed makes the same requests and shots; random by default\n"
    "  --kills N         end after so many shots; 0: no such end\n"
    "  --seconds N       end after so long; 0: no such end; 60 when neither is given\n"
    "  --clients N       requests under way at once (64)\n"
    "  --workers N       workers.count of the server (2)\n"
    "  --rate N          shots a second, on average (25)\n"
    "  --ways LIST       SIGKILL,SIGSEGV,SIGABRT,SIGTERM,SIGSTOP,garbage (all)\n"
    "  --probes N        rounds of each time measured after the load (100)\n"
    "  --patience N      multiplies every bound on time, for slow builds (1)\n"
    "  --verbose         the server's warnings on stderr as they come\n";

}  // namespace

std::optional<Options> parse(int count, char** arguments, int& exit_code) {
  Options options;
  options.seed = std::random_device{}();
  const auto number = [](auto& into) {
    return [&into](const char* text) {
      into = static_cast<std::decay_t<decltype(into)>>(std::strtod(text, nullptr));
    };
  };
  const auto text = [](std::string& into) { return [&into](const char* given) { into = given; }; };
  const std::map<std::string_view, std::function<void(const char*)>> flags = {
      {"--server", text(options.server)},       {"--ways", text(options.ways)},
      {"--origin", text(options.origin)},       {"--seed", number(options.seed)},
      {"--kills", number(options.kills)},       {"--seconds", number(options.seconds)},
      {"--clients", number(options.clients)},   {"--workers", number(options.workers)},
      {"--rate", number(options.rate)},         {"--probes", number(options.probes)},
      {"--patience", number(options.patience)},
  };
  exit_code = 2;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--help") {
      std::fputs(usage, stdout);
      exit_code = 0;
      return std::nullopt;
    }
    if (name == "--verbose") {
      options.verbose = true;
      continue;
    }
    const auto flag = flags.find(name);
    if (flag == flags.end() || i + 1 == count) {
      std::fprintf(stderr, "%s: not a flag, or without its value\n\n%s", arguments[i], usage);
      return std::nullopt;
    }
    flag->second(arguments[++i]);
  }
  if (options.server.empty() || options.origin.empty()) {
    std::fputs(usage, stderr);
    return std::nullopt;
  }
  if (options.kills == 0 && options.seconds == 0) options.seconds = 60;
  return options;
}

}  // namespace fetchmill::tests::fault
