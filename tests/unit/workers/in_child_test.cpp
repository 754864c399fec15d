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

Lines found_of(const Lines& fields, const FindErrors& find) {
  Lines lines;
  for (const Error& error : found_in_child(fields, find))
    lines.push_back(error.field + ": " + error.detail);
  return lines;
}

Lines found(const std::function<std::vector<Error>()>& find) {
  return found_of({"what"}, [&find](std::size_t) { return find(); });
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

TEST(InChild, OneProcessLooksIntoAllAndWhereItEndsIsNamed) {
  int looks = 0;  // of this process
  const auto find = [&looks](std::size_t at) {
    ++looks;
    std::vector<Error> errors;
    if (at != 1)
      errors.emplace_back(ErrorCode::invalid_request, "look " + std::to_string(looks), "field");
    return errors;
  };
  EXPECT_EQ(found_of({"a", "b", "c"}, find), (Lines{"field: look 1", "field: look 3"}));
  EXPECT_EQ(looks, 0);
  const auto ends_at_b = [&find](std::size_t at) {
    if (at == 1) ::_exit(3);
    return find(at);
  };
  EXPECT_EQ(found_of({"a", "b", "c"}, ends_at_b),
            (Lines{"field: look 1", "b: checking it ended with exit code 3"}));
}

}  // namespace
}  // namespace fetchmill::workers
