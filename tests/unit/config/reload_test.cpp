#include "config/reload.hpp"

#include "tests/unit/config/load_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(Reload, TellsWhatChangedWithoutValues) {
  Settings before;
  before.credentials.push_back({"a", {"https://a"}, {}, "Authorization", "hunter1", ""});
  Settings after = before;
  EXPECT_EQ(changes(before, after).taken_over, Lines{});
  EXPECT_EQ(changes(before, after).need_restart, Lines{});
  after.fetch.allow_hosts = {"a.example"};
  after.pipelines.only = true;
  after.credentials[0].value = "hunter2";
  after.named_pipelines.push_back({"p", "", "[]"});
  after.workers.count = 7;
  after.log.level = LogLevel::debug;
  after.log.format = LogFormat::text;
  EXPECT_EQ(changes(before, after).taken_over,
            (Lines{"fetch.allow_hosts", "pipelines.only", "pipelines", "credentials.a.value",
                   "log.level"}));
  EXPECT_EQ(changes(before, after).need_restart, (Lines{"workers.count", "log.format"}));
}

TEST(Reload, TakesOverWhatItMay) {
  Settings loaded;
  loaded.fetch.allow_hosts = {"a.example"};
  loaded.fetch.max_bytes = 5000;
  loaded.named_pipelines.push_back({"p", "", "[]"});
  loaded.workers.count = 7;
  Settings settings;
  settings.named_pipelines = {{"q", "", "[]"}, {"r", "", "[]"}};
  take_over(settings, loaded);
  EXPECT_EQ(settings.fetch.allow_hosts, Lines{"a.example"});
  EXPECT_EQ(settings.fetch.max_bytes, Settings().fetch.max_bytes);
  EXPECT_EQ(settings.workers.count, 0U);
  ASSERT_EQ(settings.named_pipelines.size(), 1U);
  EXPECT_EQ(settings.named_pipelines[0].entry_name, "p");
  EXPECT_EQ(changes(settings, loaded).taken_over, Lines{});
  EXPECT_EQ(changes(settings, loaded).need_restart, (Lines{"workers.count", "fetch.max_bytes"}));
}

}  // namespace
}  // namespace fetchmill::config
