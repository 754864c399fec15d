#include "tests/unit/workers/op_fixture.hpp"
#include "workers/ops/image_library.hpp"

#include <array>
#include <cstdint>

#include <gtest/gtest.h>
#include <zlib.h>

namespace fetchmill::workers::ops {
namespace {

std::string taken(void* data, std::size_t size) {
  std::string bytes(static_cast<const char*>(data), size);
  g_free(data);
  return bytes;
}

// A picture with some contrast, written by libvips: ".jpg", ".png", ".webp", ".avif".
Image picture(int width, int height) {
  EXPECT_TRUE(set_up_images());
  VipsImage* noise = nullptr;
  VipsImage* bytes = nullptr;
  VipsImage* coloured = nullptr;
  vips_gaussnoise(&noise, width, height, "mean", 128.0, "sigma", 40.0, "seed", 7, nullptr);
  vips_cast_uchar(noise, &bytes, nullptr);
  vips_colourspace(bytes, &coloured, VIPS_INTERPRETATION_sRGB, nullptr);
  g_object_unref(noise);
  g_object_unref(bytes);
  VipsImage* own = vips_image_copy_memory(coloured);
  g_object_unref(coloured);
  return Image(own);
}
std::string written(VipsImage& image, const char* suffix) {
  void* data = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(vips_image_write_to_buffer(&image, suffix, &data, &size, nullptr), 0)
      << vips_error_buffer();
  return taken(data, size);
}
std::string picture(int width, int height, const char* suffix) {
  return written(*picture(width, height), suffix);
}

std::string info(std::string_view body) {
  return run(R"([{"op":"image.info"}])", body, "");
}
Answer resize(std::string_view params, std::string_view body) {
  return run_pipeline(R"([{"op":"image.resize")" + std::string(params) + "}]", body, "");
}
// "jpeg 40x20": of what comes of it.
std::string shape(std::string_view body) {
  const std::string text = info(body);
  simdjson::dom::parser parser;
  simdjson::dom::element header;
  if (parser.parse(text).get(header)) return text;
  return std::string(header["format"].get_string().value()) + " " +
         std::to_string(header["width"].get_int64().value()) + "x" +
         std::to_string(header["height"].get_int64().value());
}
std::string resized(std::string_view params, std::string_view body) {
  const Answer answer = resize(params, body);
  return answer.media_type.empty() ? answer.bytes : shape(answer.bytes);
}

constexpr std::string_view gif(
    "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\1D\0;", 42);

TEST(ImageInfo, ReadsEveryFormat) {
  EXPECT_EQ(info(picture(30, 20, ".jpg[strip]")),
            R"({"format":"jpeg","width":30,"height":20,"orientation":1,"frames":1,"channels":3,)"
            R"("alpha":false,"bits":8,"color_space":"srgb","icc_profile":false,"exif":false})");
  EXPECT_EQ(shape(picture(30, 20, ".png")), "png 30x20");
  EXPECT_EQ(shape(picture(30, 20, ".webp")), "webp 30x20");
  EXPECT_EQ(shape(picture(64, 32, ".avif")), "avif 64x32");
  EXPECT_EQ(shape(gif), "gif 1x1");
}

struct Row {
  std::string_view params, result;
};
constexpr Row size_rows[] = {
    {R"(,"width":100)", "png 100x50"},
    {R"(,"height":100)", "png 200x100"},
    {R"(,"width":100,"height":100)", "png 100x50"},
    {R"(,"width":100,"height":100,"fit":"inside","dpr":2)", "png 200x100"},
    {R"(,"width":100,"height":100,"fit":"cover")", "png 100x100"},
    {R"(,"width":100,"height":20,"fit":"cover","position":"attention")", "png 100x20"},
    {R"(,"width":100,"height":100,"fit":"contain")", "png 100x100"},
    {R"(,"width":100,"height":100,"fit":"fill")", "png 100x100"},
    {R"(,"width":800)", "png 400x200"},
    {R"(,"width":800,"enlarge":true)", "png 800x400"},
    {R"(,"width":500,"height":500,"fit":"contain")", "png 500x500"},
    {"", "png 400x200"},
    {R"(,"width":1,"height":1,"fit":"fill")", "png 1x1"},
    {R"(,"width":100,"format":"jpeg","quality":10)", "jpeg 100x50"},
    {R"(,"width":100,"format":"webp")", "webp 100x50"},
    {R"(,"width":64,"format":"avif")", "avif 64x32"},
    {R"(,"width":16383,"height":16383,"fit":"fill")",
     "processing_failed pipeline[0]: the result, or what it is cut out of, would have more than "
     "50,000,000 pixels"},
    {R"(,"width":100,"height":10000,"fit":"cover")", "png 100x200"},
    {R"(,"width":100,"height":10000,"fit":"cover","enlarge":true)",
     "processing_failed pipeline[0]: the result, or what it is cut out of, would have more than "
     "50,000,000 pixels"},
    {R"(,"width":9000,"dpr":2)",
     "invalid_request pipeline[0].width: width times dpr must be at most 16383"},
    {R"(,"background":"red")",
     "invalid_request pipeline[0].background: background must be a colour such as #ffcc00"},
};
TEST(ImageResize, MakesTheSizeAndFormatAskedFor) {
  const std::string body = picture(400, 200, ".png");
  for (const Row& row : size_rows) EXPECT_EQ(resized(row.params, body), row.result) << row.params;
}

TEST(ImageResize, TheFormatStaysWhereItCan) {
  EXPECT_EQ(resize("", picture(40, 20, ".jpg")).media_type, "image/jpeg");
  EXPECT_EQ(resize("", picture(40, 20, ".webp")).media_type, "image/webp");
  EXPECT_EQ(resize("", picture(64, 32, ".avif")).media_type, "image/avif");
  EXPECT_EQ(resize("", gif).media_type, "image/png");
}

TEST(ImageResize, TurnsUprightAndStripsWhatIsNotAskedFor) {
  const Image image = picture(40, 20);
  vips_image_set_int(image.get(), VIPS_META_ORIENTATION, 6);
  const std::string body = written(*image, ".jpg");
  EXPECT_NE(info(body).find(R"("width":40,"height":20,"orientation":6)"), std::string::npos);
  const std::string upright = info(resize("", body).bytes);
  EXPECT_NE(upright.find(R"("width":20,"height":40,"orientation":1)"), std::string::npos);
  EXPECT_NE(upright.find(R"("exif":false)"), std::string::npos);
  const std::string kept = info(resize(R"(,"strip":false)", body).bytes);
  EXPECT_NE(kept.find(R"("width":20,"height":40,"orientation":1)"), std::string::npos);
  EXPECT_NE(kept.find(R"("exif":true)"), std::string::npos);
}

TEST(ImageResize, NoFormatKeepsWhoMadeIt) {
  const Image image = picture(64, 32);
  vips_image_set_string(image.get(), "exif-ifd0-Artist",
                        "Ada Mill (Ada Mill, ASCII, 9 components, 9 bytes)");
  const std::string body = written(*image, ".jpg");
  ASSERT_NE(body.find("Ada Mill"), std::string::npos);
  for (const char* format : {"jpeg", "png", "webp", "avif"}) {
    const std::string made = resize(std::string(R"(,"format":")") + format + "\"", body).bytes;
    EXPECT_EQ(made.find("Ada Mill"), std::string::npos) << format;
    EXPECT_NE(info(made).find(R"("icc_profile":false)"), std::string::npos) << format;
  }
}

std::array<double, 3> colour_at(std::string_view bytes, int x, int y) {
  const auto image = open_image(bytes);
  double* values = nullptr;
  int count = 0;
  EXPECT_EQ(vips_getpoint(image->get(), &values, &count, x, y, nullptr), 0);
  const std::array<double, 3> colour{values[0], values[1 % count], values[2 % count]};
  g_free(values);
  return colour;
}

TEST(ImageResize, TheBackgroundShowsBehindAndBeside) {
  const std::array<double, 3> red{255, 0, 0};
  EXPECT_EQ(
      colour_at(
          resize(R"(,"background":"#ff0000","format":"png","fit":"contain","width":9,"height":3)",
                 picture(3, 3, ".png"))
              .bytes,
          0, 0),
      red);
  const auto behind =
      colour_at(resize(R"(,"background":"#ff0000","format":"jpeg")", gif).bytes, 0, 0);
  EXPECT_GT(behind[0], 250);
  EXPECT_LT(behind[1], 5);
}

TEST(ImageResize, ColoursWithoutAProfileStayWhatTheyAre) {
  const std::string body = picture(9, 9, ".png");
  const std::string same = resize("", body).bytes;
  for (int x = 0; x < 9; ++x) EXPECT_EQ(colour_at(same, x, x), colour_at(body, x, x));
  // A profile that is none counts as none.
  const Image broken = picture(9, 9);
  vips_image_set_blob_copy(broken.get(), VIPS_META_ICC_NAME, "no profile", 10);
  EXPECT_EQ(colour_at(resize("", written(*broken, ".png")).bytes, 4, 4), colour_at(body, 4, 4));
}

TEST(ImageResize, ColoursOfAProfileBecomeThoseOfSrgb) {
  VipsImage* profiled = nullptr;
  ASSERT_EQ(vips_icc_export(picture(9, 9).get(), &profiled, "output_profile", "p3", nullptr), 0)
      << vips_error_buffer();
  const Image image(profiled);
  const std::string body = written(*image, ".png");
  EXPECT_NE(info(body).find(R"("icc_profile":true)"), std::string::npos);
  const auto made = colour_at(resize("", body).bytes, 4, 4);
  const auto meant = colour_at(picture(9, 9, ".png"), 4, 4);
  for (std::size_t i = 0; i < made.size(); ++i) EXPECT_NEAR(made[i], meant[i], 8);
}

// libvips #3647: the profile of the output was applied beyond the end of a buffer.
TEST(ImageResize, WidePicturesWithTransparencyStayWithinMemory) {
  constexpr std::string_view wide_frame(
      "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\1\0\0\0\0,\0\0\0\0\1\xff\1\0\0\2\1D\0;Cb"
      "Cr",
      47);
  EXPECT_EQ(resized(R"(,"width":16,"height":16,"fit":"cover")", wide_frame), "png 16x1");
}

// A PNG that says it is so large, and holds nothing.
std::string empty_png(std::uint32_t width, std::uint32_t height) {
  const auto number = [](std::uint32_t value) {
    std::string text;
    for (const unsigned shift : {24U, 16U, 8U, 0U}) text += static_cast<char>(value >> shift);
    return text;
  };
  const auto chunk = [&number](const std::string& type, const std::string& data) {
    const std::string body = type + data;
    const auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
    return number(data.size()) + body + number(static_cast<std::uint32_t>(sum));
  };
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", number(width) + number(height) + std::string("\x08\x02\0\0\0", 5)) +
         chunk("IDAT", "") + chunk("IEND", "");
}

TEST(Images, BombsAreRefusedByTheirHeader) {
  const std::string said =
      "processing_failed pipeline[0]: the image has 65000 × 65000 pixels, more than 50,000,000";
  EXPECT_EQ(info(empty_png(65000, 65000)), said);
  EXPECT_EQ(resized(R"(,"width":10)", empty_png(65000, 65000)), said);
}

TEST(Images, ACutOrBrokenOneFails) {
  for (const char* suffix : {".jpg", ".png", ".webp", ".avif"}) {
    const std::string whole = picture(200, 200, suffix);
    const std::string cut = resized(R"(,"width":50)", whole.substr(0, whole.size() / 2));
    EXPECT_TRUE(cut.starts_with("processing_failed pipeline[0]: the image cannot be ")) << cut;
  }
  EXPECT_TRUE(resized("", empty_png(10, 10)).starts_with("processing_failed pipeline[0]: "));
}

constexpr std::string_view unread[] = {
    "hello",
    "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "%PDF-1.4\n",
    "P6\n1 1\n255\nabc",
    "#?RADIANCE\n",
    "II*\0\10\0\0\0\0\0\0\0",
    "BM",
    "1,2,3\n",
    "push graphic-context\nviewbox 0 0 640 480\nimage over 0,0 0,0 '/etc/passwd'\n"};
TEST(Images, OtherFormatsAreNotRead) {
  for (const std::string_view body : unread)
    EXPECT_EQ(info(body),
              "processing_failed pipeline[0]: not an image that is read: neither JPEG, "
              "PNG, WebP, GIF, AVIF nor HEIC")
        << body;
  EXPECT_EQ(info(""), "processing_failed pipeline[0]: not an image: empty");
}

TEST(Images, WhatOneLeavesDoesNotShowInTheNext) {
  Runner runner;
  constexpr std::string_view pipeline = R"([{"op":"image.resize","width":5}])";
  const std::string body = picture(10, 10, ".png");
  const std::string first = run_with(runner, pipeline, body, "").bytes;
  run_with(runner, pipeline, body.substr(0, 60), "");
  EXPECT_EQ(run_with(runner, pipeline, body, "").bytes, first);
}

// An animation of so many frames, each of one pixel. libvips' own reader of GIFs stops at 4,096.
std::string webp_animation(std::size_t frames) {
  const auto chunk = [](const std::string& type, const std::string& data) {
    std::string size;
    for (const unsigned shift : {0U, 8U, 16U, 24U}) size += static_cast<char>(data.size() >> shift);
    return type + size + data;
  };
  const std::string pixel("VP8L\x0f\0\0\0/\0\0\0\0\7\x90Q\x81\xfe\7\"\xa2\xff\1\0", 24);
  const std::string frame = chunk("ANMF", std::string(16, '\0') + pixel);
  std::string image =
      "WEBP" + chunk("VP8X", '\2' + std::string(9, '\0')) + chunk("ANIM", std::string(6, '\0'));
  for (std::size_t i = 0; i < frames; ++i) image += frame;
  return chunk("RIFF", image);
}

TEST(Images, LongAnimationsAreRefusedByTheirHeader) {
  const std::string most = info(webp_animation(10'000));
  EXPECT_NE(most.find(R"("width":1,"height":1,"orientation":1,"frames":10000,)"), std::string::npos)
      << most;
  const std::string said =
      "processing_failed pipeline[0]: the image has 10001 frames, more than 10,000";
  EXPECT_EQ(info(webp_animation(10'001)), said);
  EXPECT_EQ(resized("", webp_animation(10'001)), said);
}

}  // namespace
}  // namespace fetchmill::workers::ops
