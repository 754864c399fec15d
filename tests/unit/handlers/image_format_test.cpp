// What Accept makes of an image's format, and where there is no Accept to ask.
#include "handlers/image_format.hpp"

#include "handlers/batch_request.hpp"
#include "handlers/merge_request.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using config::Result;

constexpr std::string_view open_pipeline =
    R"([{"op":"image.resize","width":9,"format":"auto","quality":70}])";

std::string chosen_for(std::string_view accept) {
  server::fetch::SharedBytes made = std::string(open_pipeline);
  const Result<bool> chosen = choose_format(made, accept);
  const std::string pipeline(made);
  if (!chosen) return std::string(config::info(chosen.error().code).name);
  EXPECT_TRUE(*chosen);
  constexpr std::string_view before = R"([{"op":"image.resize","width":9)";
  constexpr std::string_view after = R"(,"quality":70}])";
  EXPECT_TRUE(pipeline.starts_with(before) && pipeline.ends_with(after)) << pipeline;
  return pipeline.substr(before.size(), pipeline.size() - before.size() - after.size());
}

TEST(ImageFormatTest, AcceptChooses) {
  const std::string avif = R"(,"format":"avif")";
  const std::string webp = R"(,"format":"webp")";
  const std::string jpeg = R"(,"format":"jpeg")";
  const std::string png = R"(,"format":"png")";
  const std::string as_it_came;
  const struct {
    std::string_view accept;
    const std::string& format;
  } cases[] = {
      // Browsers.
      {"image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", avif},
      {"image/webp,image/apng,image/*,*/*;q=0.8", webp},
      // Clients that take anything may not know new formats.
      {"", as_it_came},
      {" ", as_it_came},
      {"*/*", as_it_came},
      {"image/*", as_it_came},
      {"text/html,*/*;q=0.1", as_it_came},
      {"image/jpeg,*/*", as_it_came},
      // As preferred.
      {"image/avif;q=0.5,image/webp", webp},
      {"image/webp;q=0.5,*/*", as_it_came},
      {"image/png,*/*;q=0.5", png},
      {"IMAGE/JPEG", jpeg},
      {"image/png,image/jpeg", jpeg},
      {"image/png,image/jpeg;q=0.9", png},
      // What is refused is not written, whatever the image came as.
      {"image/webp;q=0,*/*", jpeg},
      {"image/jpeg;q=0,image/*", png},
      {"image/avif;q=0,image/webp,*/*", webp},
  };
  for (const auto& c : cases) EXPECT_EQ(chosen_for(c.accept), c.format) << c.accept;
  for (const char* accept : {"text/html", "image/gif", "*/*;q=0", "image/*;q=0", ";"})
    EXPECT_EQ(chosen_for(accept), "not_acceptable") << accept;
}

TEST(ImageFormatTest, OnlyALastStepThatAsksIsRewritten) {
  for (const std::string_view pipeline : {
           R"([])",
           R"([{"op":"image.resize"}])",
           R"([{"op":"image.resize","format":"webp"}])",
           R"([{"op":"image.resize","format":"auto"},{"op":"hash"}])",
           R"([{"op":"image.resize","format":"auto"},{"op":"image.resize","width":1}])",
           R"([{"op":"py.a","format":"auto"}])",
           R"([{"op":"py.a","x":{"op":"image.resize","format":"auto"}}])",
           R"([{"op":"py.a","x":[{"op":"image.resize","format":"auto"}]}])",
           R"([{"op":"jq","program":"{\"op\":\"image.resize\",\"format\":\"auto\"}]"}])",
           R"([{"op":"image.resize","width":1},{"op":"jq","program":",\"format\":\"auto\""}])",
       }) {
    server::fetch::SharedBytes text = std::string(pipeline);
    const Result<bool> chosen = choose_format(text, "image/webp");
    ASSERT_TRUE(chosen);
    EXPECT_FALSE(*chosen);
    EXPECT_EQ(text, pipeline);
  }
  server::fetch::SharedBytes text =
      R"([{"op":"decompress"},{"op":"image.resize","format":"auto"}])";
  ASSERT_TRUE(choose_format(text, "image/webp"));
  EXPECT_EQ(text, R"([{"op":"decompress"},{"op":"image.resize","format":"webp"}])");
}

template <class Parsed>
std::string said_of_parsed(const Parsed& parsed) {
  if (parsed) return "ok";
  return std::string(config::info(parsed.error().code).name) + ' ' + parsed.error().field;
}

TEST(ImageFormatTest, IsRefusedWhereOneAcceptHasManyResults) {
  config::Settings settings;
  // By a name, for the ops of this build may be without images.
  settings.named_pipelines.push_back(
      {.entry_name = "open", .summary = {}, .steps = std::string(open_pipeline)});

  EXPECT_EQ(said_of_parsed(
                parse_batch(R"({"tasks":[{"url":"a"},{"url":"a","pipeline":"open"}]})", settings)),
            "invalid_request tasks[1].pipeline");
  EXPECT_EQ(said_of_parsed(parse_batch(R"({"tasks":[],"defaults":{"pipeline":"open"}})", settings)),
            "invalid_request defaults.pipeline");
  EXPECT_EQ(said_of_parsed(stream_from_query(*parse_query("pipeline=open"), settings)),
            "invalid_request pipeline");
  EXPECT_EQ(said_of_parsed(parse_merge(R"({"tasks":[],"pipeline":"open"})", settings)),
            "invalid_request pipeline");

  simdjson::dom::parser parser;
  const auto line = task_from_json_line(parser, R"({"url":"a","pipeline":"open"})",
                                        default_task(settings), settings);
  ASSERT_TRUE(line);
  EXPECT_EQ(said_of_parsed(*line), "invalid_request pipeline");

  const auto one = [&](const std::string& json) {
    TaskSpec task = default_task(settings);
    bool envelope = false;
    return read_task(*parse_json(parser, json), "", settings, task, &envelope);
  };
  EXPECT_EQ(said_of_parsed(one(R"({"url":"a","pipeline":"open"})")), "ok");
  EXPECT_EQ(said_of_parsed(one(R"({"url":"a","pipeline":"open","envelope":true})")),
            "invalid_request pipeline");
  TaskSpec task = default_task(settings);
  EXPECT_EQ(said_of_parsed(task_from_query(*parse_query("url=a&pipeline=open"), settings, task)),
            "ok");
}

}  // namespace
}  // namespace fetchmill::handlers
