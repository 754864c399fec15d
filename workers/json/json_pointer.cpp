#include "workers/json/json_pointer.hpp"

#include "config/whole_number.hpp"

#include <algorithm>

namespace fetchmill::workers::json {
namespace {

// RFC 6901 takes digits without a leading zero; anything else names no element.
std::size_t array_index(std::string_view token) {
  if (token.size() > 1 && token.front() == '0') return PointerNode::no_index;
  return config::parse_whole_number<std::size_t>(token).value_or(PointerNode::no_index);
}

PointerNode::KeyStart key_start(const std::string& token) {
  PointerNode::KeyStart start;
  const std::string spelt = token + '"';
  const std::size_t count = std::min(spelt.size(), sizeof start.bytes);
  const std::string ones(count, '\xFF');
  std::memcpy(&start.bytes, spelt.data(), count);
  std::memcpy(&start.mask, ones.data(), count);
  // A quote inside the token would end the key there.
  start.is_all = count == spelt.size() && token.find('"') == std::string::npos;
  return start;
}

}  // namespace

std::string unescaped_pointer_token(std::string_view part) {
  std::string token;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '~' && i + 1 < part.size())
      token += part[++i] == '1' ? '/' : '~';
    else
      token += part[i];
  }
  return token;
}

std::string json_pointer_fault(std::string_view pointer) {
  if (pointer.empty()) return {};
  if (pointer.front() != '/') return "is not a JSON Pointer: it must be empty or start with \"/\"";
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] != '~') continue;
    const char next = i + 1 < pointer.size() ? pointer[i + 1] : '\0';
    if (next != '0' && next != '1')
      return "is not a JSON Pointer: after \"~\" must come 0 (for ~) or 1 (for /)";
  }
  if (static_cast<std::size_t>(std::count(pointer.begin(), pointer.end(), '/')) >
      pointer_tokens_max)
    return "is a JSON Pointer of more than " + std::to_string(pointer_tokens_max) + " levels";
  return {};
}

bool PointerNode::add(std::string_view pointer, std::size_t slot) {
  PointerNode* node = this;
  std::vector<std::string> tokens;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view part = pointer.substr(0, pointer.find('/'));
    tokens.push_back(unescaped_pointer_token(part));
    pointer.remove_prefix(part.size());
  }
  std::size_t known = 0;
  for (; known < tokens.size(); ++known) {
    if (!node->slots.empty()) return false;
    const auto child = std::ranges::find(node->children, tokens[known], &PointerNode::token);
    if (child == node->children.end()) break;
    node = &*child;
  }
  const bool is_new = known < tokens.size();
  if (!is_new && !node->children.empty()) return false;
  for (; known < tokens.size(); ++known) {
    PointerNode child;
    child.token = tokens[known];
    child.index = array_index(tokens[known]);
    node->child_keys.push_back(key_start(child.token));
    const char first = child.token.empty() ? '"' : child.token.front();
    node->child_key_begins[static_cast<unsigned char>(first)] = true;
    node->child_key_begins[static_cast<unsigned char>('\\')] = true;
    node->children.push_back(std::move(child));
    node = &node->children.back();
  }
  node->slots.push_back(slot);
  return true;
}

}  // namespace fetchmill::workers::json
