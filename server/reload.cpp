#include "server/reload.hpp"

#include "server/fetch/own_addresses.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <sys/eventfd.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

// A log that nobody reads this moment takes about so many lines, and loses what comes then.
constexpr std::size_t mistakes_told_max = 100;

auto lists_of(const config::Settings::Fetch& fetch) {
  return std::tie(fetch.allow_networks, fetch.deny_networks, fetch.allow_ports, fetch.allow_hosts,
                  fetch.deny_hosts, fetch.schemes);
}

void add(Mistakes& mistakes, const config::Error& error) {
  mistakes.push_back(error.field + ": " + error.detail);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text.empty() ? "nothing" : text;
}

int new_eventfd() {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  return descriptor;
}

ReloadResult prepare_or_explain(const config::LoadAgain& load, const config::Settings& before,
                                NamedPipelines& well_formed) {
  try {
    return prepare_reload(load, before, well_formed);
  } catch (const std::exception& error) {
    return Mistakes{error.what()};
  }
}

}  // namespace

ReloadResult prepare_reload(const config::LoadAgain& load, const config::Settings& before,
                            NamedPipelines& well_formed) {
  Mistakes mistakes;
  // They are tried behind this, in workers: a thread must not fork.
  const config::LoadResult loaded = load([&well_formed](const NamedPipelines& pipelines) {
    well_formed = pipelines;
    return Reload::Faults();
  });
  if (!loaded) {
    for (const config::Mistake& mistake : loaded.error()) mistakes.push_back(to_string(mistake));
    return mistakes;
  }
  config::Settings settings = before;
  config::take_over(settings, *loaded);
  auto rules = fetch::make_url_rules(settings.fetch, fetch::own_addresses());
  if (!rules) add(mistakes, rules.error());
  auto origins = fetch::OriginRules::make(settings.fetch, settings.origins);
  if (!origins) add(mistakes, origins.error());
  auto credentials = fetch::Credentials::make(settings.credentials);
  if (!credentials) add(mistakes, credentials.error());
  if (!mistakes.empty()) return mistakes;
  Reloaded reloaded{std::move(settings), config::changes(before, *loaded), std::nullopt,
                    std::move(*origins), std::move(*credentials)};
  if (lists_of(before.fetch) != lists_of(reloaded.settings.fetch))
    reloaded.rules = std::move(*rules);
  return reloaded;
}

Reload::Reload(asio::io_context& io, config::LoadAgain load, config::Settings loaded,
               config::Metrics& metrics, config::Log& log, Callbacks callbacks)
    : load_(std::move(load)),
      loaded_(std::move(loaded)),
      metrics_(metrics),
      log_(log),
      callbacks_(std::move(callbacks)),
      done_(io, new_eventfd()) {
  stamp();
}

Reload::~Reload() {
  if (thread_.joinable()) thread_.join();
}

void Reload::begin() {
  again_ = under_way_;
  if (again_) return;
  try {
    thread_ = std::thread([this, done = done_.native_handle()] {
      result_ = prepare_or_explain(load_, loaded_, well_formed_);
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = ::write(done, &one, sizeof one);
    });
  } catch (const std::system_error& error) {
    return tell(Mistakes{error.what()});
  }
  under_way_ = true;
  done_.async_read_some(asio::buffer(&done_count_, sizeof done_count_),
                        [this](const boost::system::error_code& error, std::size_t) {
                          if (!error) finished();
                        });
}

void Reload::finished() {
  thread_.join();
  callbacks_.try_pipelines(std::exchange(well_formed_, {}),
                           [this](const Faults& faults) { tried(faults); });
}

void Reload::tried(const Faults& faults) {
  if (!faults.empty() && !std::holds_alternative<Mistakes>(result_)) result_ = Mistakes();
  for (const config::Error& fault : faults) add(std::get<Mistakes>(result_), fault);
  end();
}

void Reload::end() {
  under_way_ = false;
  if (auto* reloaded = std::get_if<Reloaded>(&result_)) {
    loaded_ = reloaded->settings;
    const config::Changes changes = reloaded->changes;
    callbacks_.apply(std::move(*reloaded));
    tell(changes);
  } else {
    tell(std::get<Mistakes>(result_));
  }
  result_ = Mistakes();
  if (std::exchange(again_, false)) begin();
}

void Reload::tell(const config::Changes& changes) {
  metrics_.config_reloads_total.with({"ok"}).increment();
  stamp();
  log_.info(
      "reload", "settings reloaded",
      {{"changed", joined(changes.taken_over)}, {"need_restart", joined(changes.need_restart)}});
  callbacks_.ended(true);
}

void Reload::tell(const Mistakes& mistakes) {
  metrics_.config_reloads_total.with({"failed"}).increment();
  const auto tell_one = [this](std::string_view mistake) {
    log_.error("reload", "settings not reloaded", {{"mistake", mistake}});
  };
  const std::size_t told = std::min(mistakes.size(), mistakes_told_max);
  std::for_each_n(mistakes.begin(), told, tell_one);
  if (told < mistakes.size()) tell_one("and " + std::to_string(mistakes.size() - told) + " more");
  callbacks_.ended(false);
}

void Reload::stamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  metrics_.config_last_reload_success_timestamp_seconds.get().set(
      std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

}  // namespace fetchmill::server
