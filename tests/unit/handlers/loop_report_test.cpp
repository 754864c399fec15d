// What loops report to their parent, in the very words that a service manager is told.
#include "handlers/loop_report.hpp"

#include "server/systemd.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

TEST(LoopReport, ALoopIsReadyUntilItReloads) {
  LoopState loop;
  EXPECT_TRUE(loop.report(server::ready_message("serving on a")));
  EXPECT_TRUE(loop.ready);
  EXPECT_EQ(loop.status, "serving on a");
  EXPECT_FALSE(loop.report(server::reloading_message()));
  EXPECT_FALSE(loop.ready);
  EXPECT_TRUE(loop.report(server::ready_message("as before") + '\n' +
                          std::string(server::reload_failed_line)));
  EXPECT_TRUE(loop.ready);
  EXPECT_TRUE(loop.reload_failed);
  EXPECT_TRUE(loop.report(server::ready_message("serving on a")));
  EXPECT_FALSE(loop.reload_failed);
}

TEST(LoopReport, TheWatchdogSaysThatItTurns) {
  LoopState loop;
  EXPECT_FALSE(loop.report(server::watchdog_message));
  EXPECT_TRUE(loop.turns);
  EXPECT_FALSE(loop.ready);
}

TEST(LoopReport, WhatSaysNothingChangesNothing) {
  LoopState loop;
  for (const char* message : {"", "\n", "READY=0", "STOPPING=1", "X"})
    EXPECT_FALSE(loop.report(message)) << message;
  EXPECT_FALSE(loop.ready);
  EXPECT_FALSE(loop.turns);
}

TEST(LoopReport, OneLineForAll) {
  EXPECT_EQ(status_of_all(std::vector<std::string>{"serving", "serving"}), "2 loops, each serving");
  EXPECT_EQ(status_of_all(std::vector<std::string>{"serving", "serving; not reloaded"}),
            "2 loops: serving | serving; not reloaded");
}

}  // namespace
}  // namespace fetchmill::handlers
