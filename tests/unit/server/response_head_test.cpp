#include "server/http/response_head.hpp"

#include <gtest/gtest.h>

namespace fetchmill::server::http {
namespace {

TEST(ResponseHeadTest, Whole) {
  Response response;
  response.media_type = "text/plain";
  response.headers = "A: b\r\nC: d\r\n";
  std::string out = "before";
  append_head(out, {.response = response,
                    .request_id = "id1",
                    .date_line = "Date: now\r\n",
                    .content_length = 12,
                    .connection = ConnectionField::close});
  EXPECT_EQ(out,
            "beforeHTTP/1.1 200 OK\r\nDate: now\r\nContent-Type: text/plain\r\n"
            "Content-Length: 12\r\nConnection: close\r\nA: b\r\nC: d\r\nX-Request-Id: id1\r\n\r\n");
}

TEST(ResponseHeadTest, Streamed) {
  const Response response;
  std::string out;
  append_head(out, {.response = response,
                    .request_id = "id1",
                    .date_line = "",
                    .content_length = std::nullopt,
                    .chunked = true,
                    .connection = ConnectionField::keep_alive});
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n"
            "X-Request-Id: id1\r\n\r\n");
}

TEST(ResponseHeadTest, WhatHasNoBodyHasNoLength) {
  for (const unsigned status : {204u, 304u}) {
    Response response;
    response.status = status;
    std::string out;
    append_head(out, {.response = response,
                      .request_id = "i",
                      .date_line = "",
                      .content_length = 0,
                      .varies_by_origin = true});
    EXPECT_EQ(out.find("Content-Length"), std::string::npos) << out;
    EXPECT_NE(out.find("\r\nVary: Origin\r\n"), std::string::npos) << out;
  }
}

TEST(ResponseHeadTest, EveryStatusOfOursHasAReason) {
  std::vector<unsigned> statuses{200, 304, 414, 431};
  for (const config::ErrorInfo& row : config::error_catalogue())
    statuses.push_back(row.http_status);
  for (const unsigned status : statuses) {
    Response response;
    response.status = status;
    std::string out;
    append_head(out, {.response = response,
                      .request_id = "i",
                      .date_line = "",
                      .content_length = 0,
                      .connection = ConnectionField::none});
    const std::string line = out.substr(0, out.find("\r\n"));
    EXPECT_TRUE(line.starts_with("HTTP/1.1 " + std::to_string(status) + " ")) << line;
    EXPECT_GT(line.size(), 13u) << line;
    EXPECT_EQ(line.find('<'), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace fetchmill::server::http
