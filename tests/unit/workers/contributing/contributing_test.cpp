// Linked with the op that CONTRIBUTING.md shows.
#include "tests/unit/workers/op_fixture.hpp"
#include "workers/ops/registry.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

TEST(Contributing, TheOpThatItShowsIsInTheTableAndItsExamplesHold) {
  const Op* op = find_op("text.head");
  ASSERT_NE(op, nullptr);
  EXPECT_GE(op->examples.size(), 2U);
  for (const Example& example : op->examples)
    EXPECT_EQ(run("[" + example_step_json(*op, example) + "]", example.input), example.output);
  EXPECT_NE(catalogue_json().find(R"("name":"text.head")"), std::string::npos);
}

TEST(Contributing, ItCopesWithWhatItsTextPromises) {
  constexpr std::string_view two = R"([{"op":"text.head","lines":2}])";
  for (const auto& [body, first] : {std::pair{"", ""},
                                    {"\n", "\n"},
                                    {"a\nb", "a\nb"},
                                    {"a\nb\n", "a\nb\n"},
                                    {"\n\n\n", "\n\n"}})
    EXPECT_EQ(run(two, body), first);
}

}  // namespace
}  // namespace fetchmill::workers::ops
