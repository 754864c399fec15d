// A step's parameters between their forms: JSON, query string, typed values, canonical JSON.
//
// Process: both; cheap and pure.
// Trust: values come from clients.
// Errors: unknown_field, invalid_request, with `field`: the given prefix and the parameter's name.
#pragma once

#include "config/error.hpp"
#include "workers/json/json_tree.hpp"
#include "workers/ops/op.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fetchmill::workers::ops {

// The name under "op", where the value is an object that has one.
std::optional<std::string> op_of(const json::JsonTree& tree, json::JsonTree::Index step);

// The members of a step, an object, other than "op": typed and checked, without defaults.
config::Result<Params> params_from_json(const Op& op, const json::JsonTree& tree,
                                        json::JsonTree::Index step, std::string_view field_prefix);
// The same, with every mistake added to `mistakes`.
Params params_from_json(const Op& op, const json::JsonTree& tree, json::JsonTree::Index step,
                        std::string_view field_prefix, std::vector<config::Error>& mistakes);
config::Result<Params> params_from_query(
    const Op& op, std::span<const std::pair<std::string, std::string>> query);

// Adds what the table says for the parameters left out.
void add_defaults(const Op& op, Params& params);

// Appends the canonical step: "op" first, then the given parameters in the table's order, then
// those that the table does not name.
void append_step_json(std::string& out, const Op& op, const Params& params);

// "pointer must be a string or an array of strings": what a row accepts, in words.
std::string accepted_forms(const ParamSpec& spec);

}  // namespace fetchmill::workers::ops
