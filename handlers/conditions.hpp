// Entity tags and the conditions of a conditional GET (RFC 9110 §8.8.3, §13). Pure.
//
// Trust: conditions come from a client, validators from an upstream or a worker.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace fetchmill::handlers {

// The value of an If-None-Match: "*", or entity tags with commas between them.
bool is_entity_tag_list(std::string_view text);
// Whether the list has this tag, weak or not; "*" has any. False for what is no list.
bool has_entity_tag(std::string_view list, std::string_view tag);

// The tag of the same resource in another coding: equal only weakly.
std::string weak_entity_tag(std::string_view tag);

// What a response would say of its content; empty: nothing.
struct Validators {
  std::string_view etag;
  std::string_view last_modified;
};
// What a request says that its sender has; empty: nothing.
struct Conditions {
  std::string_view if_none_match;
  std::string_view if_modified_since;
};
// Whether 304 is the answer (§13.2.2): If-Modified-Since counts only without If-None-Match.
bool is_not_modified(const Conditions& conditions, const Validators& validators,
                     std::chrono::sys_seconds now);

}  // namespace fetchmill::handlers
