#include "handlers/as_written.hpp"

#include "config/ascii.hpp"
#include "config/json_string.hpp"
#include "workers/json/json_number.hpp"
#include "workers/json/json_text.hpp"
#include "workers/json/json_tree.hpp"

#include <algorithm>
#include <cstdint>

namespace fetchmill::handlers {
namespace {

namespace json = workers::json;
using simdjson::dom::element;

bool is_passed_on(std::string_view member) {
  return member == "json" || member == "meta" || member == "pipeline";
}

// Whether what was read may not be what was written: of integers only zero, which may be "-0".
bool is_ambiguous(element value) {
  std::int64_t integer = 0;
  return value.is_double() || (!value.get(integer) && integer == 0);
}

bool task_has_values_as_written(element task) {
  simdjson::dom::object members;
  if (task.get(members)) return false;
  for (const auto& [name, value] : members) {
    if (is_passed_on(name)) return true;
    simdjson::dom::object variables;
    if (name == "vars" && !value.get(variables) &&
        std::any_of(variables.begin(), variables.end(),
                    [](const auto& member) { return is_ambiguous(member.value); }))
      return true;
  }
  return false;
}

bool begins_number(char c) {
  return c == '-' || ascii::is_digit(c);
}

// Of a number, true, false or null.
std::size_t scalar_end(std::string_view text, std::size_t at) {
  const auto is_part = [](char c) {
    return ascii::is_alphanumeric(c) || c == '.' || c == '-' || c == '+';
  };
  while (at < text.size() && is_part(text[at])) ++at;
  return at;
}

}  // namespace

bool has_values_as_written(element document) {
  simdjson::dom::object members;
  if (document.get(members)) return false;
  if (task_has_values_as_written(document)) return true;
  for (const auto& [name, value] : members) {
    if (name == "defaults" && task_has_values_as_written(value)) return true;
    if (name != "tasks") continue;
    simdjson::dom::array listed;
    simdjson::dom::object named;
    if (!value.get(listed) && std::any_of(listed.begin(), listed.end(), task_has_values_as_written))
      return true;
    if (!value.get(named) && std::any_of(named.begin(), named.end(), [](const auto& task) {
          return task_has_values_as_written(task.value);
        }))
      return true;
  }
  return false;
}

AsWritten::AsWritten(std::string_view text) : text_(text) {
  skip_between();
  task(true);
  rewritten_.append(text_.substr(copied_));
}

void AsWritten::skip_between() {
  at_ = std::min(text_.find_first_not_of(" \t\r\n,:", at_), text_.size());
}

void AsWritten::skip_value() {
  std::size_t depth = 0;
  do {
    switch (text_[at_]) {
      case '"':
        at_ = json::string_end(text_, at_);
        break;
      case '{':
      case '[':
        ++depth;
        ++at_;
        break;
      case '}':
      case ']':
        --depth;
        ++at_;
        break;
      default:
        at_ = depth == 0 ? scalar_end(text_, at_) : at_ + 1;
    }
  } while (depth > 0);
}

template <class Visit>
void AsWritten::each_member(Visit&& visit) {
  ++at_;
  for (skip_between(); text_[at_] != '}'; skip_between()) {
    const std::size_t quote = at_;
    at_ = json::string_end(text_, at_);
    const std::string name = json::unescaped_string(text_.substr(quote + 1, at_ - quote - 2));
    skip_between();
    visit(name);
  }
  ++at_;
}

void AsWritten::task(bool is_document) {
  if (text_[at_] != '{') return skip_value();
  each_member([this, is_document](const std::string& name) {
    if (is_passed_on(name)) return take();
    if (name == "vars") return variables();
    if (is_document && name == "defaults") return task(false);
    if (is_document && name == "tasks") return tasks();
    skip_value();
  });
}

void AsWritten::tasks() {
  if (text_[at_] == '{') return each_member([this](const std::string&) { task(false); });
  if (text_[at_] != '[') return skip_value();
  ++at_;
  for (skip_between(); text_[at_] != ']'; skip_between()) task(false);
  ++at_;
}

void AsWritten::variables() {
  if (text_[at_] != '{') return skip_value();
  each_member([this](const std::string&) { begins_number(text_[at_]) ? take() : skip_value(); });
}

void AsWritten::take() {
  const std::size_t begin = at_;
  skip_value();
  std::string minified;
  json::append_minified(minified, text_.substr(begin, at_ - begin));
  rewritten_.append(text_.substr(copied_, begin - copied_));
  config::append_json_string(rewritten_, minified);
  copied_ = at_;
  taken_.push_back({begin, at_});
}

std::optional<std::size_t> AsWritten::number_out_of_range() const {
  auto taken = taken_.begin();
  for (std::size_t at = 0; at < text_.size();) {
    if (taken != taken_.end() && taken->begin == at) {
      at = (taken++)->end;
    } else if (text_[at] == '"') {
      at = json::string_end(text_, at);
    } else if (begins_number(text_[at])) {
      const std::size_t end = scalar_end(text_, at);
      if (!json::is_dom_number(text_.substr(at, end - at))) return at;
      at = end;
    } else {
      ++at;
    }
  }
  return std::nullopt;
}

}  // namespace fetchmill::handlers
