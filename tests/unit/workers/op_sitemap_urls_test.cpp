#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string urls(std::string_view body) {
  return run(R"([{"op":"sitemap.urls"}])", body, "application/xml");
}

struct Row {
  std::string_view body, result;
};
constexpr Row rows[] = {
    {R"(<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
         xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
       <url><loc> https://a.example/?x=1&amp;y=2
       </loc><lastmod>2024-05-01T10:00:00+02:00</lastmod><priority>0.5</priority>
       <image:image><image:loc>https://a.example/i.png</image:loc></image:image></url>
       <url><image:loc>no</image:loc></url><url><loc>https://a.example/z</loc>
       <priority>high</priority><changefreq>never</changefreq></url></urlset>)",
     R"({"urls":[{"url":"https://a.example/?x=1&y=2","modified":"2024-05-01T08:00:00Z","change_frequency":null,"priority":0.5},)"
     R"({"url":"https://a.example/z","modified":null,"change_frequency":"never","priority":null}],"sitemaps":[]})"},
    {"<urlset/>", R"({"urls":[],"sitemaps":[]})"},
    {"<sitemapindex xmlns='http://www.google.com/schemas/sitemap/0.84'><sitemap><loc>b</loc>"
     "<lastmod>2024</lastmod></sitemap><url><loc>c</loc></url></sitemapindex>",
     R"({"urls":[],"sitemaps":[{"url":"b","modified":"2024-01-01T00:00:00Z"}]})"},
    {"<html/>",
     "processing_failed pipeline[0]: not a sitemap: <html> is not <urlset> or <sitemapindex>"},
    {"", "processing_failed pipeline[0]: not XML: empty"},
    {"<urlset><url><loc>https://a.example/</loc></url><url><loc>b",
     "processing_failed pipeline[0]: not XML: Premature end of data in tag loc line 1 at line 1, "
     "column 60"},
    {"<urlset><url><loc>\xE9</loc></url></urlset>",
     "processing_failed pipeline[0]: not XML: Input is not proper UTF-8, indicate encoding ! "
     "Bytes: 0xE9 0x3C 0x2F 0x6C at line 1, column 19"},
    {"<?xml version='1.0' encoding='klingon'?><urlset/>",
     "processing_failed pipeline[0]: not XML: Unsupported encoding klingon at line 1, column 39"},
};
TEST(SitemapUrls, ListsPagesOrSitemaps) {
  for (const Row& row : rows) EXPECT_EQ(urls(row.body), row.result);
}

// The largest that the protocol allows.
TEST(SitemapUrls, FiftyThousandAreFine) {
  std::string body = "<urlset>";
  for (int i = 0; i < 50'000; ++i)
    body += "<url>\n<loc>https://a.example/" + std::to_string(i) +
            "</loc>\n<lastmod>2024-05-01</lastmod>\n<changefreq>daily</changefreq>\n</url>\n";
  const std::string answer = urls(body + "</urlset>");
  EXPECT_NE(answer.find("https://a.example/49999"), std::string::npos);
}

}  // namespace
}  // namespace fetchmill::workers::ops
