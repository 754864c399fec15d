// A machine of values to load settings from: flags, variables and files, and what came of them.
#pragma once

#include "config/load.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::config {

using Lines = std::vector<std::string>;

struct Machine {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::map<std::string, std::string> files;
  ChooseOps choose_ops = {};
  CheckSteps check_steps = {};
  TrySteps try_steps = {};
  TryFiles try_files = {};

  LoadResult load() const {
    return config::load({arguments,
                         environment,
                         [this](const std::string& path) {
                           const auto file = files.find(path);
                           return file == files.end() ? std::nullopt : std::optional(file->second);
                         },
                         {},
                         choose_ops,
                         check_steps,
                         try_steps,
                         try_files});
  }

  // One line per mistake; empty when there is none.
  Lines mistakes() const {
    Lines lines;
    if (const LoadResult result = load(); !result)
      for (const Mistake& mistake : result.error()) lines.push_back(to_string(mistake));
    return lines;
  }
};

inline Machine with_config(std::string toml) {
  return {{"--config", "f.toml"}, {}, {{"f.toml", std::move(toml)}}};
}

inline void expect_has(const std::string& text, const std::string& part) {
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, part, text);
}

}  // namespace fetchmill::config
