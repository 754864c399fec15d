#include "handlers/openapi.hpp"

#include "config/error.hpp"
#include "tests/unit/handlers/page_fixture.hpp"
#include "workers/ops/registry.hpp"

#include <functional>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <simdjson.h>

namespace fetchmill::handlers {
namespace {

using simdjson::dom::element;

class OpenApi : public testing::Test {
 protected:
  OpenApi() : text_(openapi_document(settings())) { document_ = parser_.parse(text_); }

  static config::Settings settings() {
    config::Settings settings;
    settings.fetch.max_bytes = 1234567;
    settings.batch.max_concurrency = 77;
    return settings;
  }

  element at(std::string_view pointer) { return document_.at_pointer(pointer); }

  // Calls visit(name, value) for every member of every object below `value`.
  static void for_each_member(element value,
                              const std::function<void(std::string_view, element)>& visit) {
    if (value.is_array()) {
      for (const element item : value.get_array()) for_each_member(item, visit);
    } else if (value.is_object()) {
      for (const auto& [name, member] : value.get_object()) {
        visit(name, member);
        for_each_member(member, visit);
      }
    }
  }

  // Calls visit(path, method, operation).
  void for_each_operation(
      const std::function<void(std::string_view, std::string_view, element)>& visit) {
    for (const auto& [path, methods] : at("/paths").get_object())
      for (const auto& [method, operation] : methods.get_object()) visit(path, method, operation);
  }

  std::string text_;
  simdjson::dom::parser parser_;
  element document_;
};

TEST_F(OpenApi, HasEveryRouteOfTheApi) {
  EXPECT_EQ(at("/openapi").get_string().value(), "3.1.0");
  std::set<std::string> found;
  for_each_operation([&](std::string_view path, std::string_view method, element) {
    found.insert(std::string(method) + ' ' + std::string(path));
  });
  const std::set<std::string> expected{"get /v1/fetch",  "head /v1/fetch",    "post /v1/fetch",
                                       "post /v1/batch", "post /v1/process",  "get /v1/ops",
                                       "get /metrics",   "get /livez",        "get /healthz",
                                       "get /readyz",    "get /openapi.json", "get /errors/{code}",
                                       "get /",          "get /v1/pipelines", "post /v1/merge",
                                       "get /errors"};
  EXPECT_EQ(found, expected);
}

TEST_F(OpenApi, EveryReferenceResolves) {
  std::size_t count = 0;
  for_each_member(document_, [&](std::string_view name, element value) {
    if (name != "$ref") return;
    ++count;
    const std::string_view target = value.get_string();
    ASSERT_TRUE(target.starts_with("#/")) << target;
    EXPECT_EQ(document_.at_pointer(target.substr(1)).error(), simdjson::SUCCESS) << target;
  });
  EXPECT_GT(count, 50u);
}

TEST_F(OpenApi, OperationIdsAreUniqueAndNamesAreKnownOnce) {
  std::set<std::string_view> ids;
  for_each_operation([&](std::string_view, std::string_view, element operation) {
    EXPECT_TRUE(ids.insert(operation["operationId"].get_string()).second);
  });
  // A name that stands twice in one object would hide a schema.
  const std::function<void(element)> check = [&](element value) {
    if (value.is_array())
      for (const element item : value.get_array()) check(item);
    if (!value.is_object()) return;
    std::set<std::string_view> names;
    for (const auto& [name, member] : value.get_object()) {
      EXPECT_TRUE(names.insert(name).second) << name;
      check(member);
    }
  };
  check(document_);
}

TEST_F(OpenApi, EveryErrorCodeIsInTheEnum) {
  std::set<std::string_view> codes;
  for (const element code : at("/components/schemas/ErrorCode/enum").get_array())
    codes.insert(code.get_string());
  EXPECT_EQ(codes.size(), config::error_catalogue().size());
  for (const config::ErrorInfo& row : config::error_catalogue())
    EXPECT_TRUE(codes.count(row.name)) << row.name;
}

TEST_F(OpenApi, EveryOperationListsWhatAnyRouteCanAnswer) {
  for_each_operation([](std::string_view path, std::string_view method, element operation) {
    for (const std::string_view status : {"200", "400", "403", "405", "408", "414", "421", "431"})
      EXPECT_EQ(operation["responses"][status].error(), simdjson::SUCCESS)
          << method << ' ' << path << ' ' << status;
  });
}

TEST_F(OpenApi, FetchListsTheStatusesOfItsErrors) {
  for (const std::string_view status : {"413", "415", "422", "429", "500", "502", "503", "504"})
    EXPECT_EQ(at("/paths/~1v1~1fetch/post/responses")[status].error(), simdjson::SUCCESS) << status;
  EXPECT_EQ(at("/paths/~1v1~1batch/post/responses")["406"].error(), simdjson::SUCCESS);
  EXPECT_EQ(at("/paths/~1errors~1{code}/get/responses")["404"].error(), simdjson::SUCCESS);
  EXPECT_EQ(at("/paths/~1readyz/get/responses")["503"].error(), simdjson::SUCCESS);
}

TEST_F(OpenApi, WhatWorkersDieOfIsTold) {
  for (const std::string_view path : {"/paths/~1v1~1fetch/post", "/paths/~1v1~1process/post"}) {
    const auto meaning = [&](std::string_view status) {
      return at(std::string(path) + "/responses/" + std::string(status) + "/description")
          .get_string()
          .value();
    };
    EXPECT_NE(meaning("422").find("`poisoned_input`"), std::string_view::npos) << path;
    EXPECT_NE(meaning("500").find("`worker_out_of_memory`"), std::string_view::npos) << path;
  }
}

TEST_F(OpenApi, EveryOpIsAStepWithItsParameters) {
  const element steps = at("/components/schemas/Step/oneOf");
  EXPECT_EQ(steps.get_array().size(), workers::ops::all_ops().size());
  for (const workers::ops::Op* op : workers::ops::all_ops()) {
    const std::string name(op->name);
    const element schema = at("/components/schemas/op." + name);
    EXPECT_EQ(schema.at_pointer("/properties/op/const").get_string().value(), name);
    EXPECT_FALSE(schema["additionalProperties"].get_bool().value());
    EXPECT_EQ(schema["properties"].get_object().size(), op->params.size() + 1) << name;
    EXPECT_EQ(at("/components/schemas/Step/discriminator/mapping")[name].get_string().value(),
              "#/components/schemas/op." + name);
  }
}

TEST_F(OpenApi, LimitsComeFromTheSettings) {
  const element fields = at("/components/schemas/TaskFields/properties");
  EXPECT_EQ(fields["max_bytes"]["maximum"].get_uint64().value(), 1234567u);
  EXPECT_EQ(at("/components/schemas/Batch/properties/concurrency/maximum").get_uint64().value(),
            77u);
}

TEST_F(OpenApi, ATaskHasTheFieldsOfTheApi) {
  const element fields = at("/components/schemas/TaskFields/properties");
  const std::set<std::string_view> expected{"url",
                                            "method",
                                            "headers",
                                            "body",
                                            "body_base64",
                                            "json",
                                            "pipeline",
                                            "id",
                                            "meta",
                                            "timeout_ms",
                                            "max_bytes",
                                            "max_result_bytes",
                                            "accept_status",
                                            "max_redirects",
                                            "retries",
                                            "cache",
                                            "debug",
                                            "if_none_match",
                                            "if_modified_since",
                                            "unless_etag",
                                            "vars",
                                            "include_headers",
                                            "credential"};
  std::set<std::string_view> found;
  for (const auto& [name, schema] : fields.get_object()) found.insert(name);
  EXPECT_EQ(found, expected);
}

TEST_F(OpenApi, TheHandlerAnswersTheDocument) {
  const server::http::Response response =
      ask(openapi_handler(settings()), {.path = "/openapi.json"});
  EXPECT_EQ(response.media_type, "application/json");
  EXPECT_EQ(response.status, 200u);
}

TEST_F(OpenApi, RoutesHaveSummaries) {
  EXPECT_NE(route_summary("/v1/fetch"), "");
  EXPECT_NE(route_summary("/errors/"), "");
  EXPECT_EQ(route_summary("/elsewhere"), "");
}

}  // namespace
}  // namespace fetchmill::handlers
