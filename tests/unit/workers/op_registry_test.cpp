#include "workers/ops/registry.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

using Names = std::vector<std::string>;

constexpr Op first{.name = "json.first"};
constexpr Op second{.name = "json.second"};
constexpr Op other{.name = "jsonish"};
constexpr const Op* known[] = {&first, &second, &other};

Names names_of(std::span<const Op* const> ops) {
  Names names;
  for (const Op* op : ops) names.emplace_back(op->name);
  return names;
}

TEST(Registry, AChoiceLeavesWhatIsEnabledAndNotDisabled) {
  struct Case {
    Names enabled, disabled, ops;
  };
  const Case cases[] = {
      {{}, {}, {"json.first", "json.second", "jsonish"}},
      {{}, {"json.second"}, {"json.first", "jsonish"}},
      {{}, {"json.*"}, {"jsonish"}},
      {{"json.*"}, {}, {"json.first", "json.second"}},
      {{"json.*", "jsonish"}, {"json.first"}, {"json.second", "jsonish"}},
      {{"jsonish"}, {"jsonish"}, {}},
  };
  for (const auto& [enabled, disabled, ops] : cases) {
    const Registry registry = make_registry(known, {enabled, disabled});
    EXPECT_EQ(names_of(registry.ops), ops);
    EXPECT_EQ(registry.ops.size() + registry.switched_off.size(), std::size(known));
  }
}

// The registry of the process is settled once, so with all ops: other tests need them.
TEST(Registry, TheFirstChoiceHoldsAndEveryUnknownNameIsAMistake) {
  EXPECT_TRUE(choose_ops({}).empty());
  const Names enabled = {"balloons"};
  const Names disabled = {"hahs", "nope.*", "json.*"};
  Names told;
  for (const config::Error& mistake : choose_ops({enabled, disabled}))
    told.push_back(mistake.field + ": " + mistake.detail);
  const std::string expected = "ops that `fetchmill ops` lists, and ";
  EXPECT_EQ(told, (Names{"ops.enabled: " + expected + "'balloons' is none; did you mean balloon?",
                         "ops.disabled: " + expected + "'hahs' is none; did you mean hash?",
                         "ops.disabled: " + expected + "'nope.*' is none"}));
  EXPECT_NE(find_op("json.select"), nullptr);
  EXPECT_EQ(find_op("json.first"), nullptr);
  EXPECT_FALSE(is_switched_off("json.select"));
}

}  // namespace
}  // namespace fetchmill::workers::ops
