#include "config/suggest.hpp"

#include <array>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(Nearest, IsTheFewestEditsAwayOrEndsInTheName) {
  const std::array<std::string_view, 6> known{"server.listen", "server.hosts", "log.level",
                                              "--log.format",  "sha256",       "slot"};
  const std::array<std::pair<std::string, std::string>, 13> cases{{
      {"server.listne", "server.listen"},
      {"servr.host", "server.hosts"},
      {"solt", "slot"},
      {"log-level", "log.level"},
      {"listen", "server.listen"},
      {"--format", "--log.format"},
      {"sha265", "sha256"},
      {"sha512", ""},
      {"x", ""},
      {"--", ""},
      {"", ""},
      {"something.else", ""},
      {std::string(1000, 'x'), ""},
  }};
  for (const auto& [name, meant] : cases) EXPECT_EQ(nearest(name, known), meant) << name;
  EXPECT_EQ(did_you_mean("sha25", known), "");
  EXPECT_EQ(did_you_mean("sah256", known), "; did you mean sha256?");
}

}  // namespace
}  // namespace fetchmill::config
