#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string select(std::string_view params, std::string_view body,
                   std::string_view media_type = "application/xml") {
  return run(R"([{"op":"xml.select",)" + std::string(params) + "}]", body, media_type);
}
std::string find(std::string_view xpath, std::string_view body,
                 std::string_view media_type = "application/xml") {
  return select(R"("xpath":")" + std::string(xpath) + "\"", body, media_type);
}

constexpr std::string_view shop = R"(<?xml version="1.0"?>
<!-- stock --><shop xmlns:x="urn:x" open="yes">
  <part no="1">axle<x:note>steel &amp; oil</x:note></part>
  <part no="2"><![CDATA[<wheel>]]></part>
  <part no="3"/>
</shop>)";

struct Row {
  std::string_view params, result;
};
constexpr Row result_rows[] = {
    {R"_("xpath":"//part")_", R"(["axlesteel & oil","<wheel>",""])"},
    {R"_("xpath":"//part/@no")_", R"(["1","2","3"])"},
    {R"_("xpath":"//part[2] | //part[1]/text()")_", R"(["axle","<wheel>"])"},
    {R"_("xpath":"//nothing")_", "[]"},
    {R"_("xpath":"/comment()")_", R"([" stock "])"},
    {R"_("xpath":"count(//part)")_", "3"},
    {R"_("xpath":"sum(//@no) div 4")_", "1.5"},
    {R"_("xpath":"1 div 0")_", "null"},
    {R"_("xpath":"string(//part[last()]/@no)")_", R"("3")"},
    {R"_("xpath":"/shop/@open = 'yes'")_", "true"},
    {R"_("xpath":"//y:note","namespaces":{"y":"urn:x"})_", R"(["steel & oil"])"},
    {R"_("xpath":"//*[local-name() = 'note']/namespace::x")_", R"(["urn:x"])"},
    {R"_("xpath":"//y:note/@xml:lang | /child::shop[@open = 'a:b' or '\"c:d']/@open",)_"
     R"_("namespaces":{"y":"urn:x"})_",
     R"(["yes"])"},
    {R"_("xpath":"//y:note","namespaces":{"y":"urn:x"},"output":"xml")_",
     R"(["<x:note xmlns:x=\"urn:x\">steel &amp; oil</x:note>"])"},
    {R"_("xpath":"//part[3] | //part[2]/@no | /comment()","output":"xml")_",
     R"(["<!-- stock -->","2","<part no=\"3\"/>"])"},
};
TEST(XmlSelect, GivesWhatXPathFinds) {
  for (const Row& row : result_rows) EXPECT_EQ(select(row.params, shop), row.result);
}

// As xmllint --xpath has it.
constexpr Row relative_rows[] = {
    {"r/a", R"(["1"])"},
    {"r//a", R"(["1","2"])"},
    {".//a", R"(["1","2"])"},
    {"descendant::a[2]", R"(["2"])"},
    {".", R"(["12"])"},
    {"..", "[]"},
    {"a", "[]"},
    {"@x", "[]"},
    {"r/@x", R"(["7"])"},
    {"string()", R"("12")"},
    {"string-length()", "2"},
    {"normalize-space(r/b)", R"("2")"},
    {"name()", R"("")"},
    {"name(r)", R"("r")"},
    {"count(.)", "1"},
    {"count(r/a | r/b/a)", "2"},
    {"position()", "1"},
    {"last()", "1"},
};
TEST(XmlSelect, StartsAtTheDocument) {
  for (const Row& row : relative_rows)
    EXPECT_EQ(find(row.params, "<r x='7'><a>1</a><b><a>2</a></b></r>"), row.result) << row.params;
}

TEST(XmlSelect, TheDocumentItselfIsAllItHolds) {
  EXPECT_EQ(select(R"("xpath":"/","output":"xml")", "<?xml version='1.0'?><!--a--><b c='é'>ü</b>"),
            R"(["<!--a--><b c=\"é\">ü</b>"])");
  EXPECT_EQ(select(R"("xpath":"/","output":"xml")", "<!DOCTYPE b SYSTEM 'x'><b/>"), R"(["<b/>"])");
}

constexpr Row mistake_rows[] = {
    {R"_("xpath":"//part[")_", "xpath: Invalid expression at character 8"},
    {R"_("xpath":"//é[]")_", "xpath: Invalid expression at character 5"},
    {R"_("xpath":"")_", "xpath: Invalid expression at character 1"},
    {R"_("xpath":"string(nope(1))")_", "xpath: Unregistered function: nope"},
    {R"_("xpath":"document('/etc/passwd')")_", "xpath: Unregistered function: document"},
    {R"_("xpath":"//y:note")_", "xpath: the prefix \"y\" is not among the namespaces"},
    {R"_("xpath":"//a[b = 'c:d' and é:note]","namespaces":{"y":"urn:x"})_",
     "xpath: the prefix \"é\" is not among the namespaces"},
    {R"_("xpath":"self::y:*")_", "xpath: the prefix \"y\" is not among the namespaces"},
    {R"_("xpath":"y:nope()")_", "xpath: the prefix \"y\" is not among the namespaces"},
    {R"_("xpath":"$x")_", "xpath: Undefined variable: x"},
    {R"_("xpath":"count(1)")_", "xpath: Invalid type"},
    {R"_("xpath":"/","namespaces":{"a:b":"urn:x"})_",
     "namespaces: \"a:b\" is no prefix: it must be a name without a colon"},
    {R"_("xpath":"/","namespaces":{"":"urn:x"})_",
     "namespaces: \"\" is no prefix: it must be a name without a colon"},
    {R"_("xpath":"/","namespaces":{"a":""})_", "namespaces: the namespace of \"a\" is empty"},
};
TEST(XmlSelect, RefusesWhatIsNoExpressionBeforeItReads) {
  for (const Row& row : mistake_rows)
    EXPECT_EQ(select(row.params, "not even XML"),
              "invalid_request pipeline[0]." + std::string(row.result));
}

struct Broken {
  std::string_view body, detail;
};
constexpr Broken broken_rows[] = {
    {"", "empty"},
    {" \n", "empty"},
    {"{\"a\":1}", "Start tag expected, '<' not found at line 1, column 1"},
    {"<a>\n  <b></a>", "Opening and ending tag mismatch: b line 2 and a at line 2, column 10"},
    {"<a><b", "Couldn't find end of Start Tag b line 1 at line 1, column 6"},
    {"<a>&nbsp;</a>", "Entity 'nbsp' not defined at line 1, column 10"},
    {"<a>\xFF</a>", "Input is not proper UTF-8, indicate encoding ! Bytes: 0xFF 0x3C 0x2F 0x61"},
    {"<?xml version='1.0' encoding='klingon'?><a/>", "Unsupported encoding klingon"},
};
TEST(XmlSelect, NamesThePlaceOfAnError) {
  for (const Broken& row : broken_rows) {
    const std::string answer = find("/", row.body);
    EXPECT_TRUE(
        answer.starts_with("processing_failed pipeline[0]: not XML: " + std::string(row.detail)))
        << answer;
  }
}

// é in each of them.
constexpr Broken encoding_rows[] = {
    {"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xE9</a>", "application/xml"},
    {"<?xml version='1.0' encoding='windows-1252'?><a>\xE9</a>", "application/xml"},
    {"<a>\xE9</a>", "text/xml; Charset=\"latin1\"; x=y"},
    {"<?xml version='1.0' encoding='utf-8'?><a>\xE9</a>", "text/xml; charset=iso-8859-1"},
    {"\xEF\xBB\xBF<a>\xC3\xA9</a>", "text/xml; charset=iso-8859-1"},
    {std::string_view("\xFF\xFE<\0a\0>\0\xE9\0<\0/\0a\0>\0", 18), "text/xml; charset=utf-16"},
    {std::string_view("\xFE\xFF\0<\0a\0>\0\xE9\0<\0/\0a\0>", 18), ""},
    {"<a>\xC3\xA9</a>", "text/xml; charset=klingon"},
};
TEST(XmlSelect, TakesTheEncodingFromTheMarkTheHeaderOrTheDeclaration) {
  for (const auto& [body, media_type] : encoding_rows)
    EXPECT_EQ(find("/a", body, media_type), "[\"é\"]") << media_type;
}

constexpr std::string_view laughs = R"(<?xml version="1.0"?>
<!DOCTYPE a [<!ENTITY l "ha"><!ENTITY m "&l;&l;&l;&l;&l;&l;&l;&l;">]><a>&m;</a>)";
constexpr Broken hostile_rows[] = {
    {laughs, "the entity 'l' is declared, and entities are not expanded at line 2, column 29"},
    {"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
     "the entity 'x' is declared"},
    {"<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1/'> %p;]><a/>",
     "the entity 'p' is declared"},
    {"<!DOCTYPE a [<!NOTATION n SYSTEM 'n'><!ENTITY x SYSTEM 'y' NDATA n>]><a/>",
     "the entity 'x' is declared"},
};
TEST(XmlSelect, RefusesEntities) {
  for (const Broken& row : hostile_rows) {
    const std::string answer = find("/a", row.body);
    EXPECT_TRUE(
        answer.starts_with("processing_failed pipeline[0]: not XML: " + std::string(row.detail)))
        << answer;
  }
}

TEST(XmlSelect, ReadsNoDtdAndIncludesNothing) {
  EXPECT_EQ(find("/a", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a>b</a>"), R"(["b"])");
  EXPECT_EQ(find("/a", "<!DOCTYPE a SYSTEM 'file:///none'><a>b&x;</a>"), R"(["b"])");
  EXPECT_EQ(find("//*",
                 "<a xmlns:i='http://www.w3.org/2001/XInclude'>"
                 "<i:include parse='text' href='file:///etc/passwd'/></a>"),
            R"(["",""])");
}

std::string repeated(std::string_view part, std::size_t times) {
  std::string text;
  text.reserve(part.size() * times);
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

TEST(XmlSelect, BombsEndInAnError) {
  const std::string deep = repeated("<d>", 1'000'000);
  EXPECT_EQ(find("/", deep),
            "processing_failed pipeline[0]: not XML: nested deeper than 256 levels at line 1, "
            "column 772");
  const std::string wide = "<a>" + repeated("<b/>", 1'000'001) + "</a>";
  EXPECT_TRUE(
      find("/", wide).starts_with("processing_failed pipeline[0]: not XML: more than 1000000 "
                                  "elements and attributes at line 1"));
  const std::string quadratic = "<a>" + repeated("<b><c/></b>", 20'000) + "</a>";
  EXPECT_EQ(find("//b[count(preceding::*) > 100000]", quadratic),
            "processing_failed pipeline[0]: the expression takes more than 1000000 operations on "
            "this document");
  const std::string parentheses = repeated("(", 20'000) + "1" + repeated(")", 20'000);
  EXPECT_TRUE(find(parentheses, "<a/>")
                  .starts_with("invalid_request pipeline[0].xpath: Recursion "
                               "limit exceeded at character "));
}

TEST(XmlSelect, NestedResultsCannotMultiplyWithoutBound) {
  const std::string body =
      repeated("<d>", 200) + std::string(2'000'000, 'x') + repeated("</d>", 200);
  EXPECT_TRUE(find("//d", body).starts_with("result_too_large pipeline[0]: node "));
}

TEST(XmlSelect, ReadsLargeDocuments) {
  const std::string text = repeated("x", 9'000'000);
  EXPECT_EQ(find("count(//b)", "<a><b>" + text + "</b><b>" + text + "</b></a>"), "2");
  EXPECT_EQ(find("count(//b)", "<a>" + repeated("<b c='1'>text</b>\n", 400'000) + "</a>"),
            "400000");
}

}  // namespace
}  // namespace fetchmill::workers::ops
