#include "handlers/as_written.hpp"

#include "config/json_string.hpp"
#include "workers/json/json_number.hpp"
#include "workers/json/json_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>

namespace fetchmill::handlers {
namespace {

namespace json = workers::json;
using simdjson::dom::element;

bool is_passed_on(std::string_view member) {
  return member == "json" || member == "meta";
}

template <class Container>
bool has_fraction(const Container& values) {
  return std::any_of(values.begin(), values.end(),
                     [](const auto& member) { return element(member.value).is_double(); });
}

bool task_has_values_as_written(element task) {
  simdjson::dom::object members;
  if (task.get(members)) return false;
  for (const auto& [name, value] : members) {
    if (is_passed_on(name)) return true;
    simdjson::dom::object variables;
    if (name == "vars" && !value.get(variables) && has_fraction(variables)) return true;
  }
  return false;
}

template <class Number>
bool overflows(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc::result_out_of_range;
}

// Of what is too small for a double simdjson makes zero.
bool is_out_of_range(std::string_view number) {
  const bool is_negative = number.starts_with('-');
  if (number.find_first_of(".eE") == std::string_view::npos)
    return is_negative ? overflows<std::int64_t>(number) : overflows<std::uint64_t>(number);
  const std::string_view magnitude = number.substr(is_negative ? 1 : 0);
  return overflows<double>(magnitude) && json::compare_json_numbers(magnitude, "1") > 0;
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
  tree_.assign(text);
  visit(0, true);
  rewritten_.append(text_.substr(copied_));
}

void AsWritten::visit(Index task, bool is_document) {
  if (tree_[task].kind() != json::JsonTree::Kind::object) return;
  tree_.for_each_child(task, [&](Index member) {
    const std::string name =
        json::unescaped_string(tree_.raw_string(json::JsonTree::key_of(member)));
    if (is_passed_on(name)) {
      take(member);
    } else if (name == "vars") {
      visit_variables(member);
    } else if (is_document && name == "defaults") {
      visit(member, false);
    } else if (is_document && name == "tasks" && tree_[member].is_container()) {
      tree_.for_each_child(member, [this](Index each) {
        visit(each, false);
        return true;
      });
    }
    return true;
  });
}

void AsWritten::visit_variables(Index variables) {
  if (tree_[variables].kind() != json::JsonTree::Kind::object) return;
  tree_.for_each_child(variables, [this](Index value) {
    if (tree_[value].kind() == json::JsonTree::Kind::number) take(value);
    return true;
  });
}

void AsWritten::take(Index value) {
  std::string minified;
  json::append_minified(minified, tree_.text(value));
  rewritten_.append(text_.substr(copied_, tree_[value].begin - copied_));
  config::append_json_string(rewritten_, minified);
  copied_ = tree_[value].end;
  taken_.push_back(value);
}

std::optional<std::size_t> AsWritten::number_out_of_range() const {
  auto taken = taken_.begin();
  for (Index i = 0; i < tree_[0].next; ++i) {
    if (taken != taken_.end() && *taken == i) {
      i = tree_[i].next - 1;
      ++taken;
    } else if (tree_[i].kind() == json::JsonTree::Kind::number && is_out_of_range(tree_.text(i))) {
      return tree_[i].begin;
    }
  }
  return std::nullopt;
}

}  // namespace fetchmill::handlers
