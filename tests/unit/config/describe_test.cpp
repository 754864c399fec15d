#include "config/describe.hpp"

#include "config/setting_table.hpp"
#include "tests/unit/config/load_fixture.hpp"

#include <sstream>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

void expect_equal(const Settings& left, const Settings& right) {
  for (const Section& section : section_table()) {
    const Lines entries = section.entry_names(left);
    ASSERT_EQ(entries, section.entry_names(right));
    for (const Setting& setting : setting_table())
      for (std::size_t i = 0; i < entries.size() && section.has(setting); ++i)
        EXPECT_EQ(setting.get(left, i), setting.get(right, i)) << setting.key(entries[i]);
  }
}

TEST(Describe, ExampleIsTheDefaults) {
  const Machine machine = with_config(example_toml());
  ASSERT_EQ(machine.mistakes(), Lines{});
  expect_equal(*machine.load(), Settings{});
  for (const Setting& setting : setting_table())
    expect_has(example_toml(),
               (setting.in_table ? "\n# " : "\n") + std::string(setting.name) + " = ");
}

TEST(Describe, PrintedConfigReadsBackToTheSameSettings) {
  Settings settings;
  settings.server.listen = "[::1]:0";
  settings.server.hosts = {"a.example", "[::1]"};
  settings.fetch.allow_ports = {"81", "9000"};
  settings.fetch.allow_networks = {"10.0.0.0/8", "fd00::/8"};
  settings.fetch.ca_file = "a \"quoted\" back\\slash \u00fc.pem";
  settings.workers.count = 7;
  settings.log.level = LogLevel::error;
  settings.log.format = LogFormat::text;
  settings.origins.push_back({"b", {"https://b.example"}, "b.pem", "", "", 5, 0, 0});
  settings.origins.push_back({"a-1", {"http://.a.example:81"}, "", "c.pem", "k.pem", 0, 10, 20});
  settings.pipelines.only = true;
  settings.named_pipelines.push_back({"p", "A \"summary\".", R"([{"op":"a","b":"\"\n\\"}])"});
  const Machine machine = with_config(print_config(settings));
  ASSERT_EQ(machine.mistakes(), Lines{}) << print_config(settings);
  expect_equal(*machine.load(), settings);
}

TEST(Describe, SecretsAreNotShown) {
  Settings settings = default_settings();
  EXPECT_NE(print_config(settings).find("\nproxy = \"\"\n"), std::string::npos);
  for (const Setting& setting : setting_table()) {
    if (!setting.secret) continue;
    setting.set(settings, 0, std::string("http://user:hunter2@proxy.example:3128"));
    expect_has(print_config(settings), "\n# " + std::string(setting.name) + " = \"(not shown)\"\n");
  }
  EXPECT_EQ(print_config(settings).find("hunter2"), std::string::npos);
}

TEST(Describe, TheExamplesTableIsReadOnceItIsNoComment) {
  std::string text = example_toml();
  text = text.substr(text.find("# [origins.NAME]"));
  std::string toml;
  std::istringstream lines(text.substr(0, text.find("\n[")));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("# [") || line.find(" = ") != std::string::npos)
      toml += line.substr(2) + '\n';
  EXPECT_EQ(with_config(toml).mistakes(),
            Lines{"f.toml:2: origins.NAME.match: expected at least one origin that the entry is "
                  "for"});
}

TEST(Describe, HelpNamesEverySettingWithItsDefaultInReadableLines) {
  const std::string help = help_text();
  for (const Setting& setting : setting_table()) expect_has(help, "  --" + setting.key() + ' ');
  expect_has(help, "--fetch.max_bytes N   default: 16777216 bytes (16 MiB)\n");
  expect_has(help, "--fetch.allow_networks NETWORK,...   default: none\n");
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 96U) << line;
}

TEST(Describe, AmountsAreAlsoGivenInTheLargestWholeUnit) {
  EXPECT_EQ(amount(1536, "bytes"), "1536 bytes");
  EXPECT_EQ(amount(2048, "bytes"), "2048 bytes (2 KiB)");
  EXPECT_EQ(amount(GiB, "bytes"), "1073741824 bytes (1 GiB)");
  EXPECT_EQ(amount(1500, "ms"), "1500 ms");
  EXPECT_EQ(amount(60000, "ms"), "60000 ms (1 min)");
  EXPECT_EQ(amount(0, "ms"), "0 ms");
  EXPECT_EQ(amount(64, "tasks"), "64 tasks");
}

TEST(SettingTable, WhatIsReloadedIsASetting) {
  std::size_t reloaded = 0;
  for (const Setting& setting : setting_table()) reloaded += setting.is_reloaded() ? 1 : 0;
  EXPECT_EQ(reloaded, reloaded_settings().size());
  // A table is taken over as a whole.
  for (const Setting& setting : setting_table())
    EXPECT_TRUE(setting.is_reloaded() || !setting.in_table) << setting.key();
}

TEST(SettingTable, DefaultsAreAllowedAndRangesAreRanges) {
  for (const Setting& setting : setting_table()) {
    EXPECT_LE(setting.min, setting.max) << setting.key();
    if (setting.kind != Kind::uint) continue;
    const std::uint64_t value = std::get<std::uint64_t>(setting.get(default_settings(), 0));
    EXPECT_GE(value, setting.min) << setting.key();
    EXPECT_LE(value, setting.max) << setting.key();
  }
}

}  // namespace
}  // namespace fetchmill::config
