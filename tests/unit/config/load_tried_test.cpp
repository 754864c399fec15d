// What start-up tries, and addresses that take each other's place.
#include "tests/unit/config/load_fixture.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(Load, WhatOnlyTryingTellsIsListedWithTheRest) {
  Machine machine = with_config(
      "[fetch]\nca_file = 'no.pem'\n"
      "[pipelines.good]\nsteps = [{op = 'good'}]\n"
      "[pipelines.bad]\nsteps = [{op = 'bad'}]\n"
      "[pipelines.b]\nsteps = [{op = 'good', n = 1}]\n"
      "[origins.a]\nmatch = ['https://a']\nca_file = 'a.pem'\n");
  machine.check_steps =
      [](const std::string& steps) -> BasicResult<std::string, std::vector<Error>> {
    if (steps.find("good") != std::string::npos) return "canonical " + steps;
    return std::vector{Error(ErrorCode::unknown_op, "no such op", "steps[0].op")};
  };
  Lines tried;
  machine.try_steps = [&](const std::vector<Settings::Pipeline>& pipelines) {
    std::vector<Error> errors;
    for (const Settings::Pipeline& pipeline : pipelines) {
      tried.push_back(pipeline.steps);
      errors.emplace_back(ErrorCode::invalid_request, "no program",
                          "pipelines." + pipeline.entry_name + ".steps[0].program");
    }
    return errors;
  };
  machine.try_files = [](const Settings& settings) {
    return std::vector{
        Error(ErrorCode::invalid_request, "no " + settings.fetch.ca_file, "fetch.ca_file"),
        Error(ErrorCode::invalid_request, "no " + settings.origins.at(0).ca_file,
              "origins.a.ca_file")};
  };
  EXPECT_EQ(
      machine.mistakes(),
      (Lines{"f.toml:6: pipelines.bad.steps[0].op: expected a valid step: no such op",
             "f.toml:4: pipelines.good.steps[0].program: expected a valid step: no program",
             "f.toml:8: pipelines.b.steps[0].program: expected a valid step: no program",
             "f.toml:2: fetch.ca_file: expected a PEM file that can be used: no no.pem",
             "f.toml:11: origins.a.ca_file: expected a PEM file that can be used: no a.pem"}));
  EXPECT_EQ(tried, (Lines{R"(canonical [{"op":"good"}])", R"(canonical [{"op":"good","n":1}])"}));
}

TEST(Load, TheAdminPortIsAnother) {
  const auto admin_mistake = [](const std::string& listen, const std::string& admin_listen) {
    const Lines lines =
        with_config("[server]\nlisten = '" + listen + "'\nadmin_listen = '" + admin_listen + "'\n")
            .mistakes();
    return lines.empty() ? std::string() : lines.at(0);
  };
  EXPECT_EQ(admin_mistake("127.0.0.1:8080", "127.0.0.1:8080"),
            "f.toml:3: server.admin_listen = 127.0.0.1:8080: expected another port than that of "
            "server.listen, or another address");
  for (const auto& [listen, admin_listen] :
       {std::pair{"0.0.0.0:8080", "127.0.0.1:8080"}, {"[::1]:8080", "[::]:8080"}})
    EXPECT_NE(admin_mistake(listen, admin_listen), "") << listen << admin_listen;
  for (const auto& [listen, admin_listen] : {std::pair{"127.0.0.1:8080", "127.0.0.2:8080"},
                                             {"127.0.0.1:8080", "127.0.0.1:9090"},
                                             {"127.0.0.1:0", "127.0.0.1:0"},
                                             {"127.0.0.1:8080", "[::1]:8080"},
                                             {"127.0.0.1:8080", ""}})
    EXPECT_EQ(admin_mistake(listen, admin_listen), "");
}

}  // namespace
}  // namespace fetchmill::config
