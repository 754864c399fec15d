#include "tests/unit/workers/op_fixture.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

using namespace std::string_view_literals;

std::string html(std::string_view step, std::string_view page,
                 std::string_view media_type = "text/html") {
  const PaddedBody body(page);
  Runner runner;
  const auto result =
      runner.run("[" + std::string(step) + "]", {.bytes = body.view(),
                                                 .media_type = media_type,
                                                 .final_url = "https://a.example/dir/page?q"});
  if (result) return std::string(result->bytes);
  return std::string(config::info(result.error().code).name) + ": " + result.error().detail;
}

std::string text(std::string_view page, std::string_view media_type = "text/html") {
  return html(R"({"op":"html.text","main_content":false})", page, media_type);
}
std::string article(std::string_view page) {
  return html(R"({"op":"html.text","main_content":true})", page);
}
std::string markdown(std::string_view page) {
  return html(R"({"op":"html.markdown","main_content":false})", page);
}

struct Case {
  std::string_view page;
  std::string_view result;
};

TEST(HtmlText, IsWhatABrowserShows) {
  constexpr Case cases[] = {
      {"", ""},
      {"  a \n b\t", "a b"},
      {"a<b> b</b> <i>c</i>d", "a b cd"},
      {"<p>a<p>b<div>c</div>d", "a\n\nb\n\nc\nd"},
      {"a<br>b<br><br>c", "a\nb\n\nc"},
      {"<pre> a\n  b </pre>c", " a\n  b \nc"},
      {"<table><tr><td>1<td>2<tr><td>3<td>4</table>x", "1\t2\n3\t4\nx"},
      {"<ul><li>a<li>b</ul>", "a\nb"},
      {"a<script>1</script><style>2</style><template>3</template><noscript>4</noscript>b", "ab"},
      {"a<p hidden>b</p><p style='Display : none'>c</p>d", "ad"},
      {"<title>t</title>x&nbsp; y&lt;&#x41;&amp;", "x\xc2\xa0 y<A&"},
      {"a<!-- b -->c<svg><title>t</title><text>d</text></svg>", "acd"},
      {"<p>cut off <b", "cut off"},
  };
  for (const Case& c : cases) EXPECT_EQ(text(c.page), c.result) << c.page;
}

TEST(HtmlText, ReadsTheEncodingOfThePage) {
  EXPECT_EQ(text("caf\xe9", "text/html; charset=latin1"), "café");
  EXPECT_EQ(text("caf\xe9"), "café");
  EXPECT_EQ(text("caf\xc3\xa9"), "café");
  EXPECT_EQ(text("<meta charset=koi8-r>\xf6"), "Ж");
  EXPECT_EQ(text("<META content='text/html; charset=koi8-r' http-equiv=Content-Type>\xf6"), "Ж");
  EXPECT_EQ(text("<!-- <meta charset=koi8-r> -->caf\xe9"), "café");
  EXPECT_EQ(text("<meta charset=koi8-r>\xe9", "text/html;charset=windows-1252"), "é");
  EXPECT_EQ(text("\xef\xbb\xbf"
                 "caf\xc3\xa9",
                 "text/html; charset=koi8-r"),
            "café");
  EXPECT_EQ(text("\xff\xfe\xe9\0"sv), "é");
  EXPECT_EQ(text("a\xff", "text/html; charset=utf-8"), "a\xef\xbf\xbd");
  EXPECT_EQ(text("a\0b"sv), "ab");
}

TEST(HtmlText, FindsTheArticle) {
  const std::string words = "Some words, and more words, of a story that is long enough. ";
  const std::string page = "<div id=menu><p><a href=/>" + words +
                           "</a></p></div><div class=story><p>" + words + "<p>" + words + words +
                           "</div><div>imprint</div>";
  EXPECT_EQ(article(page).find("imprint"), std::string::npos);
  EXPECT_EQ(article(page).find("Some words"), 0U);
  EXPECT_EQ(article("<nav>n</nav><main>a<aside>b</aside></main>"), "a");
  EXPECT_EQ(article("x<article>a</article>"), "a");
  EXPECT_EQ(article("short"), "short");
}

TEST(HtmlMarkdown, HasEveryForm) {
  constexpr Case cases[] = {
      {"", ""},
      {"<h2>a <i>b</i></h2>c", "## a *b*\n\nc"},
      {"<ul><li>a<li>b<ul><li>c</ul></ul>", "- a\n- b\n  - c"},
      {"<ol start=3><li>x<li>y</ol>", "3. x\n4. y"},
      {"<ul><li><ul><li>a</ul></ul>", "- - a"},
      {"<blockquote><p>a<p>b</blockquote>c", "> a\n>\n> b\n\nc"},
      {"<p>a<blockquote>b</blockquote>", "a\n\n> b"},
      {"<a href='x (1)'>t</a>", "[t](https://a.example/dir/x%20\\(1\\))"},
      {"<a href='javascript:x()'>t</a><a href=y></a>", "t"},
      {"<img src=/i.png alt='a]b'>", "![a\\]b](https://a.example/i.png)"},
      {"<b> a </b>b<strong></strong>", "**a** b"},
      {"<code>a`b</code>", "``a`b``"},
      {"<pre><code class=language-c>x\n```\n</code></pre>", "````c\nx\n```\n````"},
      {"a<hr>b", "a\n\n---\n\nb"},
      {"a<br>b", "a\\\nb"},
      {"<table><tr><th>a<th>b|c<tr><td>1</table>", "| a | b\\|c |\n| --- | --- |\n| 1 |"},
  };
  for (const Case& c : cases) EXPECT_EQ(markdown(c.page), c.result) << c.page;
}

TEST(HtmlMarkdown, EscapesWhatIsText) {
  constexpr Case cases[] = {
      {"*a* _b_ snake_case `c` [d](e) \\", "\\*a\\* \\_b\\_ snake_case \\`c\\` \\[d\\](e) \\\\"},
      {"# a", "\\# a"},
      {"<p>1. a<p>- b<p>> c", "1\\. a\n\n\\- b\n\n\\> c"},
      {"&lt;script> &amp;lt; a &amp; b", "\\<script> \\&lt; a & b"},
  };
  for (const Case& c : cases) EXPECT_EQ(markdown(c.page), c.result) << c.page;
}

TEST(HtmlLinks, AreAbsoluteAndEachThereOnce) {
  constexpr std::string_view step = R"({"op":"html.links","main_content":false})";
  EXPECT_EQ(html(step, "<a href=x rel='a  b'>t<i>u</i></a><a href=./x>again</a><a>none</a>"),
            R"([{"url":"https://a.example/dir/x","text":"tu","rel":"a b"}])");
  EXPECT_EQ(html(step, "<base href=//b.example/><a href=x></a><area href=mailto:a@b alt=m>"),
            R"([{"url":"https://b.example/x","text":"","rel":null},)"
            R"({"url":"mailto:a@b","text":"m","rel":null}])");
  EXPECT_EQ(html(step, "<a href='java\nscript:x'>a</a><a href='http://'>b</a>"), "[]");
  EXPECT_EQ(html(step, ""), "[]");
  EXPECT_EQ(html(R"({"op":"html.links","main_content":false,"base_url":"/x"})", ""),
            "invalid_request: base_url must be an absolute http or https URL");
}

TEST(HtmlMeta, AlwaysHasTheSameShape) {
  constexpr std::string_view step = R"({"op":"html.meta"})";
  EXPECT_EQ(html(step, ""),
            R"({"title":null,"description":null,"image":null,"url":null,"site_name":null,)"
            R"("type":null,"lang":null,"icon":null,"open_graph":null,"json_ld":null})");
  EXPECT_EQ(html(step,
                 "<title> a\n b</title><meta property=og:title content=T>"
                 "<link rel='Shortcut Icon' href=i><link rel=canonical href=/c>"
                 "<meta property=og:image content=1><meta property=og:image content=2>"
                 "<meta name=twitter:description content=D>"
                 "<script type=application/ld+json>{\"a\":\"</b>\"}</script>"
                 "<script type=application/ld+json>{bad</script>"
                 "<script type=application/ld+json>1],\"x\":[2</script>"),
            R"({"title":"T","description":"D","image":"https://a.example/dir/1",)"
            R"("url":"https://a.example/c","site_name":null,"type":null,"lang":null,)"
            R"("icon":"https://a.example/dir/i",)"
            R"("open_graph":{"title":"T","image":["https://a.example/dir/1",)"
            R"("https://a.example/dir/2"]},"json_ld":[{"a":"</b>"}]})");
}

TEST(HtmlPage, BombsEndInAnError) {
  const auto repeated = [](std::string_view piece, std::size_t count) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += piece;
    return all;
  };
  std::string attributes = "<a";
  for (int i = 0; i < 100'000; ++i) attributes += " a" + std::to_string(i);
  std::string reopened = "<p>";
  for (int i = 0; i < 500; ++i) reopened += "<b id=" + std::to_string(i) + ">";
  struct Bomb {
    std::string page;
    std::string_view says;
  };
  const Bomb bombs[] = {
      {repeated("<div>", 2'000'000), "nest more than 512 deep"},
      {repeated("</span><div>", 100'000), "nest more than 512 deep"},
      {repeated("<table><td>", 100'000), "nest more than 512 deep"},
      {repeated("<svg>", 100'000), "nest more than 512 deep"},
      {repeated("<div>", 500) + repeated("<i></i>", 1'000'000), "add up to more than"},
      {attributes + ">", "more than 256 attributes"},
      {reopened + "</p>" + repeated("<p>x</p>", 100'000), "256 MiB"},
  };
  for (const Bomb& bomb : bombs) {
    const std::string answer = text(bomb.page);
    EXPECT_NE(answer.find(bomb.says), std::string::npos) << answer.substr(0, 200);
    EXPECT_EQ(answer.find("processing_failed"), 0U);
  }
}

TEST(HtmlMarkdown, StopsWhereAPageMultiplies) {
  std::string links = "<base href=https://b.example/" + std::string(100'000, 'd') + "/>";
  for (int i = 0; i < 1000; ++i) links += "<a href=x>t</a>";
  std::string lines;
  for (int i = 0; i < 400; ++i) lines += "<blockquote>";
  lines += "<pre>" + std::string(200'000, '\n');
  for (const std::string& page : {links, lines})
    EXPECT_EQ(markdown(page), "result_too_large: the Markdown is longer than 64 MiB");
}

TEST(HtmlPage, LongOrdinaryPagesAreNotBombs) {
  for (const std::string_view piece :
       {"<p>a"sv, "<li>a"sv, "<tr><td><b>x"sv, "<a name=x>y"sv, "<!-- <div> -->"sv, "<br>"sv,
        "<script>'<div>'</script>"sv, "<option>o"sv, "<dt>a<dd>b"sv, "<img src=x>"sv}) {
    std::string page = "<table>";
    for (int i = 0; i < 3000; ++i) page += piece;
    EXPECT_EQ(text(page).find("processing_failed"), std::string::npos) << piece;
  }
}

TEST(HtmlLinks, AddUpToNoMoreThanTheirLimit) {
  std::string page = "<base href='https://a.example/?" + std::string(1'000'000, 'q') + "'>";
  for (int i = 0; i < 70; ++i) page += "<a href='#" + std::to_string(i) + "'></a>";
  EXPECT_EQ(html(R"({"op":"html.links"})", page),
            "result_too_large: the links add up to more than 64 MiB");
}

}  // namespace
}  // namespace fetchmill::workers::ops
