#include "tests/unit/workers/op_fixture.hpp"
#include "workers/json/json_write.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

constexpr std::string_view page =
    "<html lang=en-GB><body><div id=d class='a b'><p id=p1 title='Hello World'>one</p>"
    "<p id=p2 class=b>two <i id=i>x</i></p><span id=s></span><p id=p3>three</p></div>"
    "<ul><li id=l1>1<li id=l2>2<li id=l3>3<li id=l4>4<li id=l5>5</ul>"
    "<form><input id=c type=checkbox checked><input id=t disabled></form>"
    "<a id=a href=/x>link</a><Foo id=f>unknown</Foo>";

std::string ids(std::string_view selector) {
  std::string quoted;
  json::append_json_string(quoted, selector);
  return run(R"([{"op":"html.select","output":"attribute:id","selector":)" + quoted + "}]", page,
             "text/html");
}

// The text of a refusal by the loop's check.
std::string refusal(std::string_view step) {
  const auto checked = check_pipeline("[" + std::string(step) + "]", "pipeline");
  return checked ? "accepted" : checked.error().field + ": " + checked.error().detail;
}

TEST(HtmlSelect, MatchesSelectors) {
  struct Case {
    std::string_view selector;
    std::string_view ids;
  };
  constexpr Case cases[] = {
      {"P", R"(["p1","p2","p3"])"},
      {"foo", R"(["f"])"},
      {"#p2, #p1", R"(["p1","p2"])"},
      {".b", R"(["d","p2"])"},
      {"p.b#p2", R"(["p2"])"},
      {"div > i", "[]"},
      {"div i", R"(["i"])"},
      {"body>div>p>i", R"(["i"])"},
      {"#p1 + p", R"(["p2"])"},
      {"#p2 + p", "[]"},
      {"#p1 ~ p", R"(["p2","p3"])"},
      {"span:empty", R"(["s"])"},
      {"[title]", R"(["p1"])"},
      {"[title='hello world']", "[]"},
      {"[title='hello world' i]", R"(["p1"])"},
      {"[title~=World]", R"(["p1"])"},
      {"[title^=Hel][title$=rld][title*='o W']", R"(["p1"])"},
      {"[title^='']", "[]"},
      {"[lang|=en] #i", R"(["i"])"},
      {"li:nth-child(odd)", R"(["l1","l3","l5"])"},
      {"li:nth-child(2n)", R"(["l2","l4"])"},
      {"li:nth-child( -n + 2 )", R"(["l1","l2"])"},
      {"li:nth-last-child(1)", R"(["l5"])"},
      {"li:nth-child(3n-1)", R"(["l2","l5"])"},
      {"p:nth-of-type(3)", R"(["p3"])"},
      {"p:nth-last-of-type(3)", R"(["p1"])"},
      {"li:first-child, li:last-child", R"(["l1","l5"])"},
      {"i:only-child", R"(["i"])"},
      {"span:only-of-type", R"(["s"])"},
      {"p:not(.b):not(#p1)", R"(["p3"])"},
      {"p:not(.b, #p1)", R"(["p3"])"},
      {":is(ul, div) > :where(#l2, #p3)", R"(["p3","l2"])"},
      {"p:has(i)", R"(["p2"])"},
      {"p:has(> i):has(+ span)", R"(["p2"])"},
      {"p:has(~ #p3)", R"(["p1","p2"])"},
      {":checked, input:disabled, :link", R"(["c","t","a"])"},
      {"#\\70 1", R"(["p1"])"},
      {"html:root", "[null]"},
      {"p/* one */.b /* two */ > i", R"(["i"])"},
      {"/**/ ul/**/>/**/ li:nth-child(/**/2)", R"(["l2"])"},
      {"[title='Hello World'/**/], [id='/*']", R"(["p1"])"},
      {"p:lang(en)", R"(["p1","p2","p3"])"},
      {"p:lang( 'EN-gb' )", R"(["p1","p2","p3"])"},
      {"p:lang(e), p:lang(en-GB-x), p:lang('')", "[]"},
      {"*|p#p1, *|*#p2", R"(["p1","p2"])"},
      {"|p, |*", "[]"},
      {"p:hover, a:visited, :target, :active, :focus, :focus-within", "[]"},
      {"a:not(:visited)", R"(["a"])"},
  };
  for (const Case& c : cases) EXPECT_EQ(ids(c.selector), c.ids) << c.selector;
}

TEST(HtmlSelect, SaysWhatIsWrongAndWhere) {
  struct Case {
    std::string_view selector;
    std::string_view says;
  };
  constexpr Case cases[] = {
      {"", "selector cannot be used: it ends too early at position 1"},
      {"p,", "it ends too early at position 3"},
      {"p >", "it ends too early at position 4"},
      {"p[", "expected a name at position 3"},
      {"[a=1]", "expected a name at position 4"},
      {"[a='1]", "a string does not end at position 4"},
      {"p:indeterminate", "':indeterminate' is not supported at position 2"},
      {"p:hover()", "':hover()' is not supported at position 2"},
      {"p:lang", "':lang' is not supported at position 2"},
      {"p:lang()", "expected a name at position 8"},
      {"p:lang(en, de)", "expected ')' at position 10"},
      {"p /* b", "expected a selector at position 3"},
      {"p/**/i", "this cannot stand here at position 6"},
      {"*|", "expected a name at position 3"},
      {"p::before", "pseudo-elements are not supported at position 2"},
      {"li:nth-child(x)", "expected a number"},
      {":not(", "it ends too early at position 6"},
      {":has(:has(a))", "':has()' cannot stand inside ':has()' at position 6"},
      {":is(:is(:is(:is(:is(:is(:is(:is(:is(a)))))))))", "parentheses nest too deep"},
      {"svg|a", "namespaces are not supported at position 4"},
      {"p)", "this cannot stand here at position 2"},
  };
  for (const Case& c : cases) {
    const std::string answer =
        refusal(R"({"op":"html.select","selector":")" + std::string(c.selector) + "\"}");
    EXPECT_NE(answer.find(c.says), std::string::npos) << c.selector << " -> " << answer;
    EXPECT_EQ(answer.find("pipeline[0].selector"), 0U) << answer;
  }
}

TEST(HtmlSelect, GivesEveryOutput) {
  const auto select = [](std::string_view rest) {
    return run(R"([{"op":"html.select","selector":"#p2",)" + std::string(rest) + "}]", page,
               "text/html");
  };
  EXPECT_EQ(select(R"("output":"text")"), R"(["two x"])");
  EXPECT_EQ(select(R"("output":"html")"),
            R"~(["<p id=\"p2\" class=\"b\">two <i id=\"i\">x</i></p>"])~");
  EXPECT_EQ(select(R"("output":"inner_html")"), R"~(["two <i id=\"i\">x</i>"])~");
  EXPECT_EQ(select(R"("output":"attribute:title")"), "[null]");
  EXPECT_EQ(select(R"("output":"text","fields":{"t":"i","id":"@id","i":"i@id","n":"b"})"),
            R"([{"t":"x","id":"p2","i":"i","n":null}])");
  EXPECT_EQ(select(R"("fields":{"self":":scope","id":":scope@id","none":":scope:empty","p":"p"})"),
            R"([{"self":"two x","id":"p2","none":null,"p":null}])");
  EXPECT_EQ(select(R"("fields":{"in":":scope > i","of":"div > :scope, i","i":"i, :scope.a"})"),
            R"([{"in":"x","of":"two x","i":"x"}])");
  EXPECT_NE(refusal(R"({"op":"html.select","selector":"a","output":"attribute:"})").find("output"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"op":"html.select","selector":"a","fields":{"x":"a@"}})").find("fields"),
            std::string::npos);
}

TEST(HtmlSelect, GivesTextAsInnerText) {
  struct Case {
    std::string_view selector;
    std::string_view page;
    std::string_view found;
  };
  constexpr Case cases[] = {
      // What stands between cells and around blocks is none of theirs.
      {"td", "<table><tr><td>a</td><td>b</td><td></td></tr></table>", R"(["a","b",""])"},
      {"th", "<table><tr><th>a<th>b</table>", R"(["a","b"])"},
      {"td + td", "<table><tr><td>a</td><td><p>b</p></td></table>", R"(["b"])"},
      {"td + td", "<table><tr><td>a<td><table><tr><td>b<td>c</table></table>", R"(["b\tc","c"])"},
      {"tr", "<table><tr><td>a<td>b</table>", R"(["a\tb"])"},
      // White space shows where an element around says so.
      {"code", "<pre><code>a\n  b</code></pre><p><code>c\n  d</code></p>", R"(["a\n  b","c d"])"},
      // What is not shown.
      {"title", "<title>a  b</title>", R"(["a  b"])"},
      {"script", "<script>x = '<b>';\n</script>", R"(["x = '<b>';\n"])"},
      {"textarea", "<textarea>a\n b</textarea>", R"(["a\n b"])"},
      {"noscript", "<body><noscript>a <b>b</b></noscript>", R"(["a b"])"},
      {"template", "<template><p>a</p></template>", R"(["a"])"},
      {"p", "<p hidden>a<script>b</script><br>c</p><p>d<i hidden>e</i></p>", R"(["abc","d"])"},
  };
  for (const Case& c : cases)
    EXPECT_EQ(run(R"([{"op":"html.select","selector":")" + std::string(c.selector) + "\"}]", c.page,
                  "text/html"),
              c.found)
        << c.page;
  EXPECT_EQ(run(R"([{"op":"html.select","selector":"html","fields":{"title":"title"}}])",
                "<title>t</title>", "text/html"),
            R"([{"title":"t"}])");
}

TEST(HtmlSelect, StopsWhenItTakesTooLong) {
  std::string wide = "<div>";
  for (int i = 0; i < 30'000; ++i) wide += "<a></a>";
  const std::string answer =
      run(R"~([{"op":"html.select","selector":"a:has(~ b)"}])~", wide, "text/html");
  EXPECT_NE(answer.find("steps on this page"), std::string::npos) << answer.substr(0, 200);
}

TEST(HtmlSelect, StopsWhereFieldsMultiplyTheText) {
  std::string fields;
  for (int i = 0; i < 20; ++i)
    fields += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\":scope\"";
  const std::string answer =
      run(R"([{"op":"html.select","selector":"p","fields":{)" + fields + "}}]",
          "<p>" + std::string(4U << 20U, 'x'), "text/html");
  EXPECT_EQ(answer, "result_too_large pipeline[0]: what is selected adds up to more than 64 MiB")
      << answer.size();
}

TEST(HtmlSelect, TakesAnyPage) {
  struct Case {
    std::string_view page;
    std::string_view media_type;
    std::string_view found;
  };
  constexpr Case cases[] = {
      {"", "text/html", "[]"},
      {"<p>a<i>b</i><p>cut <i", "text/html", R"(["ab","cut"])"},
      {"<p>a</p><p title=\"cu", "text/html", R"(["a"])"},
      {"<p>caf\xe9", "text/html", R"(["café"])"},
      {"<p>caf\xe9", "text/html; charset=utf-8", "[\"caf\xef\xbf\xbd\"]"},
  };
  for (const Case& c : cases)
    EXPECT_EQ(run(R"([{"op":"html.select","selector":"p"}])", c.page, c.media_type), c.found)
        << c.page;
}

}  // namespace
}  // namespace fetchmill::workers::ops
