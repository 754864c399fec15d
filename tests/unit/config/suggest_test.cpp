#include "config/suggest.hpp"

#include <array>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(Nearest, IsTheFewestEditsAwayOrEndsInTheName) {
  const std::array<std::string, 4> known{"server.listen", "server.hosts", "log.level",
                                         "--log.format"};
  const std::array<std::pair<std::string, std::string>, 9> cases{{
      {"server.listne", "server.listen"},
      {"servr.host", "server.hosts"},
      {"log-level", "log.level"},
      {"listen", "server.listen"},
      {"--format", "--log.format"},
      {"--", ""},
      {"", ""},
      {"something.else", ""},
      {std::string(1000, 'x'), ""},
  }};
  for (const auto& [name, meant] : cases) EXPECT_EQ(nearest(name, known), meant) << name;
}

}  // namespace
}  // namespace fetchmill::config
