#include "workers/json/jsonpath_evaluator.hpp"

#include <algorithm>

#include <re2/re2.h>

namespace fetchmill::workers::json {

JsonPathEvaluator::JsonPathEvaluator() = default;
JsonPathEvaluator::~JsonPathEvaluator() = default;

JsonPathEvaluator::Nodes JsonPathEvaluator::evaluate(const JsonTree& tree, const Query& query) {
  tree_ = &tree;
  steps_left_ = jsonpath_steps_max;
  stop_ = Stop::none;
  return select(query, 0);
}

void JsonPathEvaluator::emit(Index node, Nodes& out) {
  if (out.size() < jsonpath_nodes_max)
    out.push_back(node);
  else if (stop_ == Stop::none)
    stop_ = Stop::too_many_nodes;
}

JsonPathEvaluator::Nodes JsonPathEvaluator::select(const Query& query, Index current) {
  Nodes nodes{query.absolute ? 0 : current};
  for (const Segment& segment : query.segments) {
    Nodes next;
    for (const Index node : nodes) {
      if (stop_ != Stop::none) return {};
      apply(segment, node, next);
    }
    nodes = std::move(next);
  }
  return nodes;
}

std::optional<JsonTree::Index> JsonPathEvaluator::select_one(const Query& query, Index current) {
  std::optional<Index> node = query.absolute ? 0 : current;
  for (const Segment& segment : query.segments) {
    const Selector& selector = segment.selectors.front();
    node = selector.kind == Selector::Kind::name ? member(*node, selector.name)
                                                 : element(*node, *selector.start);
    if (!node) break;
  }
  return node;
}

// The tree is in document order, parents first: so are a value's descendants.
void JsonPathEvaluator::apply(const Segment& segment, Index node, Nodes& out) {
  if (!segment.descendant) return apply_selectors(segment, node, out);
  const Index end = (*tree_)[node].next;
  if (!spend(end - node)) return;
  for (Index i = node; i < end && stop_ == Stop::none; ++i) apply_selectors(segment, i, out);
}

void JsonPathEvaluator::apply_selectors(const Segment& segment, Index node, Nodes& out) {
  if (!(*tree_)[node].is_container()) return;
  for (const Selector& selector : segment.selectors) {
    switch (selector.kind) {
      case Selector::Kind::name:
        if (const auto found = member(node, selector.name)) emit(*found, out);
        break;
      case Selector::Kind::index:
        if (const auto found = element(node, *selector.start)) emit(*found, out);
        break;
      case Selector::Kind::slice:
        slice(selector, node, out);
        break;
      case Selector::Kind::wildcard:
      case Selector::Kind::filter:
        tree_->for_each_child(node, [&](Index child) {
          if (selector.filter == nullptr || holds(*selector.filter, child)) emit(child, out);
          return spend(1) && stop_ == Stop::none;
        });
    }
  }
}

void JsonPathEvaluator::slice(const Selector& selector, Index array, Nodes& out) {
  const JsonTree::Node& node = (*tree_)[array];
  if (node.kind() != JsonTree::Kind::array || selector.step == 0) return;
  const auto length = static_cast<std::int64_t>(node.child_count);
  const auto from_front = [length](std::int64_t i) { return i >= 0 ? i : length + i; };
  const std::int64_t step = selector.step;
  const std::int64_t start = from_front(selector.start.value_or(step > 0 ? 0 : length - 1));
  const std::int64_t end = selector.end ? from_front(*selector.end) : (step > 0 ? length : -1);
  Nodes children;
  children.reserve(node.child_count);
  tree_->for_each_child(array, [&](Index child) {
    children.push_back(child);
    return spend(1);
  });
  if (stop_ != Stop::none) return;
  if (step > 0) {
    const std::int64_t last = std::min(end, length);
    for (std::int64_t i = std::max<std::int64_t>(start, 0); i < last; i += step)
      emit(children[static_cast<std::size_t>(i)], out);
  } else {
    const std::int64_t last = std::max<std::int64_t>(end, -1);
    for (std::int64_t i = std::min(start, length - 1); i > last; i += step)
      emit(children[static_cast<std::size_t>(i)], out);
  }
}

std::string JsonPathEvaluator::key_text(Index value) const {
  return unescaped_string(tree_->raw_string(JsonTree::key_of(value)));
}

std::optional<JsonTree::Index> JsonPathEvaluator::member(Index object, std::string_view name) {
  std::optional<Index> found;
  if ((*tree_)[object].kind() != JsonTree::Kind::object) return found;
  tree_->for_each_child(object, [&](Index child) {
    const std::string_view raw = tree_->raw_string(JsonTree::key_of(child));
    const bool same =
        raw == name || (raw.find('\\') != std::string_view::npos && key_text(child) == name);
    if (same) found = child;
    return !same && spend(1 + raw.size() / 16);
  });
  return found;
}

std::optional<JsonTree::Index> JsonPathEvaluator::element(Index array, std::int64_t index) {
  std::optional<Index> found;
  const JsonTree::Node& node = (*tree_)[array];
  const auto length = static_cast<std::int64_t>(node.child_count);
  if (index < 0) index += length;
  if (node.kind() != JsonTree::Kind::array || index < 0 || index >= length) return found;
  tree_->for_each_child(array, [&](Index child) {
    if (index-- == 0) found = child;
    return !found && spend(1);
  });
  return found;
}

}  // namespace fetchmill::workers::json
