// Linked with the ops that ship: the test-only ones are not among them.
#include "workers/ops/pipeline.hpp"
#include "workers/ops/registry.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

TEST(ReleaseOps, HoldNoTestOnlyOp) {
  for (const char* name :
       {"crash", "spin_forever", "balloon", "echo", "count_runs", "count_compiles"}) {
    EXPECT_EQ(find_op(name), nullptr) << name;
    EXPECT_EQ(catalogue_json().find(name), std::string::npos) << name;
  }
  EXPECT_NE(find_op("identity"), nullptr);
}

}  // namespace
}  // namespace fetchmill::workers::ops
