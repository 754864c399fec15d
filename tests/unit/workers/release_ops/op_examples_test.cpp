// The worked examples of the ops that ship: what docs/ops.md shows is what comes.
#include "tests/unit/workers/op_fixture.hpp"
#include "workers/ops/registry.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string pipeline_of(const Op& op, const Example& example) {
  std::string step = "[{\"op\":\"" + std::string(op.name) + "\"";
  if (!example.params.empty())
    step += "," + std::string(example.params.substr(1, example.params.size() - 2));
  return step + "}]";
}

TEST(Examples, EveryOpThatShipsHasOneAndItHolds) {
  for (const Op* op : all_ops()) {
    EXPECT_FALSE(op->examples.empty()) << op->name;
    for (const Example& example : op->examples) {
      const std::string_view media_type =
          example.media_type.empty() ? op->input.front() : example.media_type;
      EXPECT_EQ(run(pipeline_of(*op, example), example.input, media_type), example.output)
          << op->name;
    }
  }
}

}  // namespace
}  // namespace fetchmill::workers::ops
