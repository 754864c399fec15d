// The reload of the settings on SIGHUP, all or nothing.
//
// Reading files and parsing certificates would hold up the loop, so a thread of its own does both,
// for as long as that takes: the settings file, the files it names, the rules that follow from
// them. Then workers try the new pipelines, as libraries that compile are theirs: also where there
// are mistakes already, so that all are told at once. The loop's turn is the exchange of what came
// of it for what was there. A process of its own could not hand over
// certificates; a thread can, and nothing forks after it: the spawner was there first. It shares
// nothing with the loop but what begin() gives it and finished() takes.
//
// Owner: main. Lifetime: ends its thread before it goes. Process: loop.
#pragma once

#include "config/load.hpp"
#include "config/log.hpp"
#include "config/metrics.hpp"
#include "config/reload.hpp"
#include "config/settings.hpp"
#include "server/fetch/credentials.hpp"
#include "server/fetch/origin_rules.hpp"
#include "server/fetch/url_policy.hpp"
#include "server/loop.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

namespace fetchmill::server {

// What takes the place of what holds.
struct Reloaded {
  config::Settings settings;
  config::Changes changes;
  std::optional<fetch::UrlRules>
      rules;  // where they changed: what is cached goes with the old ones
  fetch::OriginRules origins;
  fetch::Credentials credentials;
};

// Or every mistake, in words for the operator.
using Mistakes = std::vector<std::string>;
using ReloadResult = std::variant<Reloaded, Mistakes>;

using NamedPipelines = std::vector<config::Settings::Pipeline>;

// Blocking. `before`: the settings that hold, as they were loaded. `well_formed` gets the named
// pipelines that are yet to be tried, whatever else is mistaken.
ReloadResult prepare_reload(const config::LoadAgain& load, const config::Settings& before,
                            NamedPipelines& well_formed);

class Reload {
 public:
  using Faults = std::vector<config::Error>;
  struct Callbacks {
    // Finds out what is wrong with the pipelines and calls `done`, maybe at once; never, if this
    // Reload is to go before.
    std::function<void(NamedPipelines, std::function<void(const Faults&)> done)> try_pipelines;
    std::function<void(Reloaded&&)> apply;  // makes it hold
    std::function<void(bool done)> ended;   // of each reload, when it holds or has failed
  };
  // Throws std::system_error when there is no descriptor left.
  Reload(asio::io_context& io, config::LoadAgain load, config::Settings loaded,
         config::Metrics& metrics, config::Log& log, Callbacks callbacks);
  Reload(const Reload&) = delete;
  Reload& operator=(const Reload&) = delete;
  ~Reload();

  // While one is under way, another one follows it.
  void begin();

 private:
  void finished();
  void tried(const Faults& faults);
  void end();
  void tell(const config::Changes& changes);
  void tell(const Mistakes& mistakes);
  void stamp();

  config::LoadAgain load_;
  config::Settings loaded_;
  config::Metrics& metrics_;
  config::Log& log_;
  Callbacks callbacks_;
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> done_;  // an eventfd
  std::uint64_t done_count_ = 0;
  std::thread thread_;
  NamedPipelines well_formed_;
  ReloadResult result_ = Mistakes();
  bool under_way_ = false;
  bool again_ = false;
};

}  // namespace fetchmill::server
