#include "server/http/service.hpp"

#include "server/http/session.hpp"

#include <array>
#include <cstdio>
#include <ctime>
#include <span>
#include <utility>

namespace fetchmill::server::http {
namespace {

std::string_view method_label(wire::Method method) {
  switch (method) {
    case wire::Method::get:
      return "GET";
    case wire::Method::head:
      return "HEAD";
    case wire::Method::post:
      return "POST";
    default:
      return "other";
  }
}

std::string_view name_of(const Route* route) {
  return route ? route->name : "none";
}

}  // namespace

Service::Service(Poller& poller_, Deadlines& wheel_, const config::Settings::Server& settings_,
                 const Router& router_, BrowserRules rules_, LagProbe& lag_,
                 config::Metrics& metrics_, config::Log& log_)
    : poller(poller_),
      wheel(wheel_),
      settings(settings_),
      router(router_),
      rules(std::move(rules_)),
      lag(lag_),
      metrics(metrics_),
      log(log_),
      series_(router_.routes().size() + 1) {}

Service::~Service() {
  while (!idle_.empty()) destroy(idle_.front());
  while (!fresh_.empty()) destroy(fresh_.front());
  while (!busy_.empty()) destroy(busy_.front());
  while (!lingering_.empty()) destroy(lingering_.front());
}

void Service::serve(int fd) {
  auto* session = new Session(*this, wheel);
  ++session_count_;
  metrics.http_connections.get().add(1);
  fresh_.push_back(*session);
  if (session->open(fd))
    session->start();
  else
    destroy(*session);
}

void Service::destroy(Session& session) {
  delete &session;
  --session_count_;
  metrics.http_connections.get().add(-1);
  refill_reserve();
  tell_of_room();
}

void Service::add_idle(Session& session) {
  idle_.push_back(session);
  tell_of_room();
}

bool Service::close_one_idle() {
  if (idle_.empty() || !idle_.front().is_quiet()) return false;
  destroy(idle_.front());
  return true;
}

void Service::drain() {
  draining_ = true;
  const auto hurry = [this](Session& session) {
    session.wait_no_longer_than(settings.drain_idle_ms);
  };
  idle_.for_each(hurry);
  fresh_.for_each(hurry);
}

void Service::interrupt_all() {
  while (!idle_.empty()) destroy(idle_.front());
  while (!fresh_.empty()) destroy(fresh_.front());
  // An interrupted session leaves the list or moves to its end; each is visited once.
  IntrusiveList<Session> sessions;
  while (!busy_.empty()) sessions.push_back(busy_.front());
  while (!sessions.empty()) {
    Session& session = sessions.front();
    busy_.push_back(session);
    session.interrupt(ErrorCode::draining);
  }
}

std::string_view Service::date_line(TimePoint now) {
  if (now >= date_until_) {
    const std::time_t seconds = std::time(nullptr);
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char line[64];
    // IMF-fixdate (RFC 9110 §5.6.7), independent of the locale.
    const int size = std::snprintf(line, sizeof line, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n",
                                   days[utc.tm_wday], utc.tm_mday, months[utc.tm_mon],
                                   utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    date_line_.assign(line, static_cast<std::size_t>(size));
    date_until_ = now + std::chrono::milliseconds(500);
  }
  return date_line_;
}

Service::RouteSeries& Service::series(const Route* route) {
  const auto& routes = router.routes();
  const std::size_t index = route ? static_cast<std::size_t>(route - routes.data()) : routes.size();
  RouteSeries& cached = series_[index];
  if (!cached.duration) {
    const std::string_view name = name_of(route);
    if (route && (route->methods & method_get) != 0)
      cached.ok_get = &metrics.http_requests_total.with({name, "GET", "200"});
    cached.duration = &metrics.http_request_duration_seconds.with({name});
  }
  return cached;
}

void Service::count_response(const Answered& answered) {
  RouteSeries& cached = series(answered.route);
  if (cached.ok_get && answered.method == wire::Method::get && answered.status == 200) {
    cached.ok_get->increment();
  } else {
    metrics.http_requests_total
        .with({name_of(answered.route), method_label(answered.method),
               std::to_string(answered.status)})
        .increment();
  }
  cached.duration->observe(std::chrono::duration<double>(answered.elapsed).count());
  if (log.tells_requests()) log_response(answered);
}

void Service::log_response(const Answered& answered) {
  constexpr std::size_t method_bytes_max = 32;
  const std::string status = std::to_string(answered.status);
  const std::string bytes = std::to_string(answered.bytes);
  char duration[32];
  std::snprintf(duration, sizeof duration, "%.3f",
                std::chrono::duration<double, std::milli>(answered.elapsed).count());
  const std::string_view method = answered.method_text.substr(0, method_bytes_max);
  std::array<config::LogField, 8> fields{{{"method", method.empty() ? "-" : method},
                                          {"route", name_of(answered.route)},
                                          {"status", status},
                                          {"bytes", bytes},
                                          {"duration_ms", duration},
                                          {"request_id", answered.request_id}}};
  std::size_t count = 6;
  if (!answered.code.empty()) fields[count++] = {"code", answered.code};
  if (!answered.trace_id.empty()) fields[count++] = {"trace_id", answered.trace_id};
  log.write(config::LogLevel::info, "http", "request", std::span(fields.data(), count));
}

}  // namespace fetchmill::server::http
