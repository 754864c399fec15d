#include "handlers/cli/resume_index.hpp"

#include "handlers/json_output.hpp"

#include <functional>
#include <string>

namespace fetchmill::handlers::cli {
namespace {

constexpr std::string_view outcome_start = R"({"type":")";
constexpr std::string_view order_start = R"({"type":"batch")";

// By its hash: with a million results, two that differ meet with a probability of 1 in 10^7.
std::uint64_t key_of(std::string_view id, std::string_view url) {
  const std::string key = id.empty() ? 'u' + std::string(url) : 'i' + std::string(id);
  return std::hash<std::string>()(key);
}

}  // namespace

void ResumeIndex::add(std::string_view line) {
  if (!line.starts_with(R"({"type":"result")") && !line.starts_with(R"({"type":"unchanged")"))
    return;
  // What stands before "upstream" is short, and tells the task. A member of `meta` may have that
  // name too; then what stands before it is no whole object.
  constexpr std::string_view behind = R"(,"upstream":)";
  for (std::size_t at = line.find(behind); at != std::string_view::npos;
       at = line.find(behind, at + 1)) {
    const std::string head = std::string(line.substr(0, at)) + '}';
    const config::Result<simdjson::dom::element> outcome = parse_json(parser_, head);
    if (!outcome) continue;
    std::string_view url;
    std::uint64_t index = 0;
    if ((*outcome)["url"].get(url) || (*outcome)["index"].get(index)) return;
    std::string_view id;
    if ((*outcome)["id"].get(id)) id = {};
    results_.emplace(key_of(id, url), index);
    places_.insert(index);
    return;
  }
}

bool ResumeIndex::take(const TaskSpec& task, std::uint64_t index) {
  const std::uint64_t key = key_of(task.id, task.url);
  if (results_.erase({key, index}) > 0) return true;
  const auto first = results_.lower_bound({key, 0});
  if (first == results_.end() || first->first != key) return false;
  const bool is_moved = first->second < index || places_.contains(index);
  // It may be the result of a task that is still to come.
  if (task.id.empty() && !is_moved) return false;
  results_.erase(first);
  return true;
}

bool ResumeIndex::is_first_of_its_id(const TaskSpec& task) {
  return task.id.empty() || ids_.insert(key_of(task.id, {})).second;
}

bool ResumeIndex::looks_like_outcomes(std::string_view beginning) {
  const std::string_view start = beginning.substr(0, outcome_start.size());
  return outcome_start.starts_with(start);
}

std::string ResumeIndex::order_line(const TaskSpec& defaults) {
  std::string line(order_start);
  append_member(line, "method", boost::beast::http::to_string(defaults.method));
  append_member_name(line, "pipeline");
  line += std::string_view(defaults.pipeline);
  // It may be large, and a secret.
  if (const std::string_view body = defaults.body; !body.empty()) {
    append_member_name(line, "body_hash");
    line += '"';
    append_number(line, std::hash<std::string_view>()(body));
    line += '"';
  }
  return line + '}';
}

bool ResumeIndex::is_order_line(std::string_view line) {
  return line.starts_with(order_start);
}

}  // namespace fetchmill::handlers::cli
