#include "tests/fault/client.hpp"

#include <cstdlib>
#include <optional>

#include <simdjson.h>

namespace fetchmill::tests::fault {
namespace {

constexpr Clock::time_point no_deadline = Clock::time_point::max();

std::string member(const simdjson::dom::element& object, const char* name) {
  std::string_view text;
  if (object[name].get(text) != simdjson::SUCCESS) return {};
  return std::string(text);
}

std::string problem_code(const Response& response) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (response.media_type != "application/problem+json" ||
      parser.parse(response.body).get(document) != simdjson::SUCCESS)
    return {};
  return member(document, "code");
}

// The result of a batch line as text: a JSON value, or the text itself.
std::optional<std::string> line_result(const simdjson::dom::element& line) {
  simdjson::dom::element value;
  if (line["text"].get(value) == simdjson::SUCCESS) return member(line, "text");
  if (line["result"].get(value) == simdjson::SUCCESS) return simdjson::minify(value);
  return std::nullopt;
}

std::string describe(const Work& work) {
  return work.op + work.query + " over " + std::to_string(work.body().size()) + " bytes" +
         (work.target.empty() ? "" : " of the origin");
}

// `queue;dur=12.3` of Server-Timing.
Milliseconds queued(const Response& response) {
  constexpr std::string_view name = "queue;dur=";
  const std::size_t place = response.server_timing.find(name);
  if (place == std::string::npos) return Milliseconds(0);
  return Milliseconds(std::strtod(response.server_timing.c_str() + place + name.size(), nullptr));
}

}  // namespace

void Client::run() {
  while (!load_.over) {
    const std::uint64_t dice = random_() % 100;
    if (dice < 55)
      process();
    else if (dice < 80)
      fetch();
    else
      batch();
    if (random_() % 10 == 0) connection_.reset();
  }
}

void Client::process() {
  const Work work = make_process_work(random_, load_.materials, load_.mix);
  const Clock::time_point sent = Clock::now();
  Response response;
  if (exchange({.method = "POST",
                .target = "/v1/process?op=" + work.op + work.query,
                .media_type = "application/octet-stream",
                .body = work.body()},
               response))
    judge(work, response, sent);
}

void Client::fetch() {
  const Work work = make_fetch_work(random_, load_.materials, load_.mix);
  const std::string task = R"({"url":"http://127.0.0.1:)" + std::to_string(load_.origin_port) +
                           work.target + R"(","pipeline":[)" + work.step() + "]}";
  const Clock::time_point sent = Clock::now();
  Response response;
  if (exchange(
          {.method = "POST", .target = "/v1/fetch", .media_type = "application/json", .body = task},
          response))
    judge(work, response, sent);
}

void Client::batch() {
  std::vector<Work> works;
  std::string tasks;
  for (std::uint64_t count = 1 + random_() % 40; count > 0; --count) {
    works.push_back(make_fetch_work(random_, load_.materials, load_.mix));
    tasks += tasks.empty() ? "" : ",";
    tasks += R"({"url":"http://127.0.0.1:)" + std::to_string(load_.origin_port) +
             works.back().target + R"(","pipeline":[)" + works.back().step() + "]}";
  }
  const bool has_deadline = random_() % 4 == 0;
  const std::uint64_t deadline_ms = 50 + random_() % 1000;
  const std::string body = "{\"tasks\":[" + tasks + "]" +
                           (has_deadline ? ",\"deadline_ms\":" + std::to_string(deadline_ms) : "") +
                           (random_() % 4 == 0 ? R"(,"order":"input"})" : "}");
  std::vector<Clock::time_point> arrivals;  // of each line
  Response response;
  const Clock::time_point deadline =
      has_deadline ? Clock::now() + std::chrono::milliseconds(deadline_ms) : no_deadline;
  const bool complete = exchange(
      {.method = "POST", .target = "/v1/batch", .media_type = "application/json", .body = body},
      response, [&arrivals](std::string_view piece) {
        for (const char c : piece)
          if (c == '\n') arrivals.push_back(Clock::now());
      });
  if (complete) judge_lines(works, response, arrivals, deadline);
}

bool Client::exchange(const Request& request, Response& response, const Arrival& arrival) {
  if (!connection_ || !connection_->reusable())
    connection_ = std::make_unique<Connection>(load_.server_port, load_.patience_seconds);
  const std::string wrong = connection_->exchange(request, response, arrival);
  if (!wrong.empty()) {
    load_.score.broken(wrong.rfind("malformed", 0) == 0 ? Promise::well_formed : Promise::answered,
                       request.method + " " + request.target.substr(0, 60) + ": " + wrong);
    return false;
  }
  if (response.status != 429) return true;
  if (response.retry_after.empty())
    load_.score.broken(Promise::well_formed, "429 without Retry-After");
  load_.score.refused();
  return false;
}

void Client::judge(const Work& work, const Response& response, Clock::time_point sent) {
  const Clock::time_point came = Clock::now();
  if (response.status != 200) {
    const std::string code = problem_code(response);
    if (code.empty())
      return load_.score.broken(Promise::well_formed,
                                "status " + std::to_string(response.status) + " without a problem");
    if (code == "processing_timeout") {
      const auto due =
          sent + std::chrono::duration_cast<Clock::duration>(queued(response) + load_.task_timeout);
      judge_late(due, came, describe(work));
    }
    return judge_code(work, code, response.body.substr(0, 300));
  }
  if (work.ends != Ends::exactly)
    return load_.score.broken(Promise::named, describe(work) + " answered 200");
  if (response.body != work.right)
    return load_.score.broken(Promise::right, describe(work) + ": " +
                                                  std::to_string(response.body.size()) +
                                                  " bytes: '" + response.body.substr(0, 60) + "'");
  load_.score.answer(false);
}

void Client::judge_code(const Work& work, const std::string& code, const std::string& what) {
  constexpr std::string_view must_be[] = {"", "worker_crashed", "processing_timeout",
                                          "worker_out_of_memory"};
  if (work.ends == Ends::exactly) return load_.score.innocent_failure(code, describe(work));
  // To take all memory takes time, and on a busy machine the time may run out first.
  const bool too_slow = work.ends == Ends::out_of_memory && code == "processing_timeout";
  // What was there to fail may have been hit by a shot too, and what failed twice is refused.
  if (code != must_be[static_cast<std::size_t>(work.ends)] && code != "poisoned_input" &&
      code != "worker_crashed" && !too_slow)
    return load_.score.broken(Promise::named, describe(work) + " ended as " + code + ": " + what);
  load_.score.culprit(code);
}

void Client::judge_late(Clock::time_point due, Clock::time_point came, const std::string& what) {
  const Milliseconds late = came - due;
  load_.score.late(late);
  if (late > load_.late_max)
    load_.score.broken(Promise::in_time,
                       what + " came " + std::to_string(late.count()) + " ms after its deadline");
}

void Client::judge_lines(const std::vector<Work>& works, const Response& response,
                         const std::vector<Clock::time_point>& arrivals,
                         Clock::time_point deadline) {
  if (response.status != 200)
    return load_.score.broken(Promise::answered, "a batch ended as " + response.body);
  std::vector<unsigned> outcomes(works.size());
  std::uint64_t ok = 0;
  bool summary = false;
  simdjson::dom::parser parser;
  std::string_view rest = response.body;
  for (const Clock::time_point came : arrivals) {
    const std::string text(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(text.size() + 1);
    simdjson::dom::element line;
    if (summary || parser.parse(text).get(line) != simdjson::SUCCESS)
      return load_.score.broken(Promise::well_formed, "a batch line: " + text.substr(0, 200));
    const std::string type = member(line, "type");
    const bool timed_out = deadline != no_deadline && came > deadline;
    if (timed_out) judge_late(deadline, came, "a batch's " + type);
    if (type == "summary") {
      summary = true;
      if (line["ok"].get_uint64().value() != ok ||
          line["tasks"].get_uint64().value() != works.size())
        load_.score.broken(Promise::once, "the summary does not add up: " + text);
      continue;
    }
    std::uint64_t index = 0;
    if (line["index"].get(index) != simdjson::SUCCESS || index >= works.size())
      return load_.score.broken(Promise::once, "no such index: " + text.substr(0, 200));
    ++outcomes[index];
    const Work& work = works[index];
    if (type == "result") {
      ++ok;
      if (work.ends != Ends::exactly)
        load_.score.broken(Promise::named, describe(work) + " has a result");
      else if (line_result(line) != work.right)
        load_.score.broken(Promise::right, describe(work) + ": " + text.substr(0, 300));
      else
        load_.score.answer(true);
      continue;
    }
    const std::string code = member(line["error"], "code");
    if (code == "deadline_exceeded" && timed_out) continue;
    judge_code(work, code, text.substr(0, 300));
  }
  for (std::size_t index = 0; index < outcomes.size(); ++index)
    if (outcomes[index] != 1)
      load_.score.broken(Promise::once, "index " + std::to_string(index) + " has " +
                                            std::to_string(outcomes[index]) + " outcomes");
  if (!summary || !rest.empty()) load_.score.broken(Promise::once, "no summary at the end");
}

}  // namespace fetchmill::tests::fault
