#include "workers/in_child.hpp"

#include <csignal>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

using config::Error;
using config::ErrorCode;
using Lines = std::vector<std::string>;

Lines found(const std::function<std::vector<Error>()>& find) {
  Lines lines;
  for (const Error& error : found_in_child("what", find))
    lines.push_back(error.field + ": " + error.detail);
  return lines;
}

TEST(InChild, WhatIsFoundThereComesBack) {
  const pid_t here = ::getpid();
  const std::string long_detail(100000, 'x');
  EXPECT_EQ(found([&] {
              return std::vector{Error(ErrorCode::invalid_request, "", ""),
                                 Error(ErrorCode::invalid_request, "two\nlines.", "a[0].b"),
                                 Error(ErrorCode::invalid_request, long_detail, "c")};
            }),
            (Lines{": ", "a[0].b: two\nlines.", "c: " + long_detail}));
  EXPECT_EQ(found([] { return std::vector<Error>(); }), Lines{});
  EXPECT_EQ(found([here] {
              return here == ::getpid() ? std::vector{Error(ErrorCode::internal_error)}
                                        : std::vector<Error>();
            }),
            Lines{});
}

TEST(InChild, AnEndThereIsNotTakenForSuccess) {
  const auto ending = [](auto end) {
    return found([end] {
      end();
      return std::vector<Error>();
    });
  };
  EXPECT_EQ(ending([] { ::_exit(3); }), Lines{"what: checking it ended with exit code 3"});
  EXPECT_EQ(ending([] { ::kill(::getpid(), SIGKILL); }),
            Lines{"what: checking it ended with signal 9"});
  EXPECT_EQ(ending([] { throw std::bad_alloc(); }),
            Lines{"what: checking it ended with exit code 72"});
}

}  // namespace
}  // namespace fetchmill::workers
