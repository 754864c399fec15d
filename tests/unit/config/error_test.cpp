#include "config/error.hpp"

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(ErrorCatalogue, FindsEveryCodeByNameAndByValue) {
  for (const ErrorInfo& row : error_catalogue()) {
    EXPECT_EQ(&info(row.code), &row);
    EXPECT_EQ(find_error(row.name), &row);
    EXPECT_GE(row.http_status, 400U);
    EXPECT_LE(row.http_status, 599U);
    EXPECT_FALSE(row.title.empty());
    EXPECT_FALSE(row.advice.empty());
  }
  EXPECT_EQ(find_error("no_such_code"), nullptr);
}

TEST(ErrorCatalogue, HasTheStatusesOfTheContract) {
  EXPECT_EQ(info(ErrorCode::invalid_request).http_status, 400U);
  EXPECT_EQ(info(ErrorCode::misdirected_request).http_status, 421U);
  EXPECT_EQ(info(ErrorCode::cancelled).http_status, 499U);
  EXPECT_EQ(info(ErrorCode::processing_timeout).http_status, 504U);
}

}  // namespace
}  // namespace fetchmill::config
