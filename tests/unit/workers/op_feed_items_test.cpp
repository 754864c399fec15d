#include "tests/unit/workers/op_fixture.hpp"
#include "workers/ops/feed.hpp"
#include "workers/ops/feed_date.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string items(std::string_view body) {
  return run(R"([{"op":"feed.items","base_url":"https://mill.example/news/feed.xml"}])", body,
             "application/xml");
}
// The items alone, of an RSS item's or Atom entry's inside.
std::string item_of(std::string_view answer) {
  const std::size_t at = answer.find(R"("items":[)");
  return std::string(answer.substr(at == std::string_view::npos ? 0 : at + 9));
}
std::string rss_item(std::string_view inside) {
  return item_of(
      items("<rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/' "
            "xmlns:content='http://purl.org/rss/1.0/modules/content/' "
            "xmlns:media='http://search.yahoo.com/mrss/' xmlns:atom='http://www.w3.org/2005/Atom'>"
            "<channel><item>" +
            std::string(inside) + "</item></channel></rss>"));
}
std::string atom_entry(std::string_view inside) {
  return item_of(items("<feed xmlns='http://www.w3.org/2005/Atom'><entry>" + std::string(inside) +
                       "</entry></feed>"));
}

struct Row {
  std::string_view body, result;
};

constexpr Row format_rows[] = {
    {R"(<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"
        "http://my.netscape.com/publish/formats/rss-0.91.dtd"><rss version="0.91"><channel>
        <title>Mill</title><link>https://mill.example/</link><description>News</description>
        <language>en</language><lastBuildDate>Tue, 10 Jun 2003 04:00:00 GMT</lastBuildDate>
        <image><url>/logo.png</url><title>no</title></image>
        <item><title>One</title><link>one</link></item></channel></rss>)",
     R"({"feed":{"format":"rss","title":"Mill","link":"https://mill.example/","description":"News",)"
     R"("language":"en","updated":"2003-06-10T04:00:00Z","image":"https://mill.example/logo.png"},)"
     R"("items":[{"id":"https://mill.example/news/one","title":"One","url":"https://mill.example/news/one",)"
     R"("published":null,"updated":null,"author":null,"summary":null,"content":null,"categories":[],"enclosures":[]}]})"},
    {R"(<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
        xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>Mill</title>
        <link>https://mill.example/</link><dc:date>2002-09-07T09:00+02:00</dc:date><items/></channel>
        <image rdf:about="y"><url>l.png</url></image>
        <item rdf:about="urn:1"><title>One</title><link>/1</link><dc:creator>Ada</dc:creator>
        <dc:subject>wood</dc:subject><dc:date>2002-09-07</dc:date></item></rdf:RDF>)",
     R"({"feed":{"format":"rdf","title":"Mill","link":"https://mill.example/","description":null,)"
     R"("language":null,"updated":"2002-09-07T07:00:00Z","image":"https://mill.example/news/l.png"},)"
     R"("items":[{"id":"urn:1","title":"One","url":"https://mill.example/1","published":"2002-09-07T00:00:00Z",)"
     R"("updated":null,"author":"Ada","summary":null,"content":null,"categories":["wood"],"enclosures":[]}]})"},
    {R"(<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de" xml:base="https://base.example/a/">
        <title type="html">Mill &amp;amp; co</title><subtitle>News</subtitle><icon>i.png</icon>
        <link rel="self" href="atom.xml"/><link href=".."/><updated>2003-12-13T18:30:02.25Z</updated>
        <author><name>Ada</name></author>
        <entry xml:base="b/"><id>urn:1</id><title>One</title><link rel="alternate" href="one"/>
        <updated>2003-12-13T18:30:02+01:00</updated><published>2003-12-12</published></entry></feed>)",
     R"({"feed":{"format":"atom","title":"Mill &amp; co","link":"https://base.example/","description":"News",)"
     R"("language":"de","updated":"2003-12-13T18:30:02.25Z","image":"https://base.example/a/i.png"},)"
     R"("items":[{"id":"urn:1","title":"One","url":"https://base.example/a/b/one","published":"2003-12-12T00:00:00Z",)"
     R"("updated":"2003-12-13T17:30:02Z","author":"Ada","summary":null,"content":null,"categories":[],"enclosures":[]}]})"},
    {R"(<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>Old</title><tagline>T</tagline>
        <modified>2003-12-13T18:30:02Z</modified></feed>)",
     R"({"feed":{"format":"atom","title":"Old","link":null,"description":"T","language":null,)"
     R"("updated":"2003-12-13T18:30:02Z","image":null},"items":[]})"},
    {R"(<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        xmlns="http://my.netscape.com/rdf/simple/0.9/"><channel><title>Mill</title>
        <link>https://mill.example/</link><description>News</description></channel>
        <image><title>no</title><url>l.png</url><link>no</link></image>
        <item><title>One</title><link>one</link></item>
        <textinput><title>no</title></textinput></rdf:RDF>)",
     R"({"feed":{"format":"rdf","title":"Mill","link":"https://mill.example/","description":"News",)"
     R"("language":null,"updated":null,"image":"https://mill.example/news/l.png"},)"
     R"("items":[{"id":"https://mill.example/news/one","title":"One","url":"https://mill.example/news/one",)"
     R"("published":null,"updated":null,"author":null,"summary":null,"content":null,"categories":[],"enclosures":[]}]})"},
    {R"(<rss version="0.92"><channel><title>Mill</title><link>https://mill.example/</link>
        <description>News</description><cloud domain="mill.example" port="80" path="/RPC2"/>
        <item><description>It &lt;b&gt;turns&lt;/b&gt;.</description>
        <enclosure url="a.mp3" length="12" type="audio/mpeg"/><category domain="d">parts</category>
        <source url="https://a.example/rss">no</source></item></channel></rss>)",
     R"({"feed":{"format":"rss","title":"Mill","link":"https://mill.example/","description":"News",)"
     R"("language":null,"updated":null,"image":null},)"
     R"("items":[{"id":null,"title":null,"url":null,"published":null,"updated":null,"author":null,)"
     R"("summary":"It <b>turns</b>.","content":null,"categories":["parts"],)"
     R"("enclosures":[{"url":"https://mill.example/news/a.mp3","type":"audio/mpeg","length":12}]}]})"},
};
TEST(FeedItems, ReadsEveryFormatIntoOneShape) {
  for (const Row& row : format_rows) EXPECT_EQ(items(row.body), row.result);
}

// What is said of one item, as the members that it changes.
struct ItemRow {
  std::string_view inside, contains;
};
constexpr ItemRow rss_rows[] = {
    {"<guid>https://a.example/1</guid>",
     R"("id":"https://a.example/1","title":null,"url":"https://a.example/1")"},
    {"<guid isPermaLink='false'>https://a.example/1</guid>", R"("title":null,"url":null)"},
    {"<link/><guid>7</guid>", R"("id":"7","title":null,"url":null)"},
    {"<link> https://a.example/é x </link>", R"("url":"https://a.example/é x")"},
    {"<link>//b.example/é x?q=1#f</link>", R"("url":"https://b.example/%C3%A9%20x?q=1#f")"},
    {"<dc:creator>Ada</dc:creator><dc:creator>Bo</dc:creator>", R"("author":"Ada, Bo")"},
    {"<dc:creator>Ada</dc:creator><author>a@b</author>", R"("author":"a@b")"},
    {"<content:encoded><![CDATA[<p>x</p>]]></content:encoded><description>d</description>",
     R"("summary":"d","content":"<p>x</p>")"},
    {"<description/><dc:description>d</dc:description>", R"("summary":"d")"},
    {"<category>a</category><category> b </category><category/>", R"("categories":["a","b"])"},
    {"<enclosure url='a.mp3' length='12' type='audio/mpeg'/><enclosure length='1'/>"
     "<media:group><media:content url='v.mp4' fileSize='big'/></media:group>"
     "<media:content url='a.mp3'/>",
     R"("enclosures":[{"url":"https://mill.example/news/a.mp3","type":"audio/mpeg","length":12},)"
     R"({"url":"https://mill.example/news/v.mp4","type":null,"length":null}]})"},
    {"<atom:updated>2003-12-13T18:30:02Z</atom:updated><pubDate>no date</pubDate>",
     R"("published":null,"updated":"2003-12-13T18:30:02Z")"},
    {"<title>a<b>c</b></title><x:y xmlns:x='urn:x'><title>no</title></x:y>", R"("title":"ac")"},
};
TEST(FeedItems, ReadsAnRssItem) {
  for (const ItemRow& row : rss_rows)
    EXPECT_NE(rss_item(row.inside).find(row.contains), std::string::npos) << row.contains << "\n"
                                                                          << rss_item(row.inside);
}

constexpr ItemRow atom_rows[] = {
    {"<link rel='enclosure' href='a.ogg' length='5' type='audio/ogg'/>",
     R"("enclosures":[{"url":"https://mill.example/news/a.ogg","type":"audio/ogg","length":5}])"},
    {"<link rel='self' href='s'/><link href='x' xml:base='https://c.example'/>",
     R"("url":"https://c.example/x")"},
    {"<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><b>x</b></div></content>",
     R"("content":"<b>x</b>")"},
    {"<content type='xhtml'> <h:div xmlns:h='http://www.w3.org/1999/xhtml'>\n a <h:b c='d'>x</h:b>"
     "<div xmlns='http://www.w3.org/1999/xhtml'>y</div> </h:div> </content>",
     R"("content":"a <b c=\"d\">x</b><div xmlns=\"http://www.w3.org/1999/xhtml\">y</div>")"},
    {"<summary type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>"
     "<svg xmlns='http://www.w3.org/2000/svg'><g/></svg></div></summary>",
     R"("summary":"<svg xmlns=\"http://www.w3.org/2000/svg\"><g/></svg>")"},
    {"<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'/></content>",
     R"("content":null)"},
    // Two elements: which of them is the content is not said.
    {"<content type='xhtml'><div>x</div><div>y</div></content>",
     R"(<div xmlns=\"http://www.w3.org/2005/Atom\">x</div><div xmlns=\"http://www.w3.org/2005/Atom\">y</div>)"},
    {"<content type='html'>&lt;b&gt;x</content><summary>s</summary>",
     R"("summary":"s","content":"<b>x")"},
    {"<category term='t'/><category term='u' label='U'/>", R"("categories":["t","U"])"},
    {"<author><name>Ada</name><email>a@b</email></author><author><email>c@d</email></author>",
     R"("author":"Ada, c@d")"},
};
TEST(FeedItems, ReadsAnAtomEntry) {
  for (const ItemRow& row : atom_rows)
    EXPECT_NE(atom_entry(row.inside).find(row.contains), std::string::npos)
        << row.contains << "\n"
        << atom_entry(row.inside);
}

TEST(FeedItems, WithoutABaseRelativeLinksStayRelative) {
  constexpr std::string_view body =
      "<rss><channel><link>x</link><item><link>/y</link></item></channel></rss>";
  const std::string answer = run(R"([{"op":"feed.items"}])", body);
  EXPECT_NE(answer.find(R"("link":"x")"), std::string::npos) << answer;
  EXPECT_NE(answer.find(R"("url":"/y")"), std::string::npos) << answer;
}

TEST(FeedItems, TheFinalUrlIsTheBase) {
  Runner runner;
  const PaddedBody body("<rss><channel><link>x</link></channel></rss>");
  const auto answer =
      runner.run(R"([{"op":"feed.items"}])",
                 {.bytes = body.view(), .media_type = "", .final_url = "https://a.example/b/c"});
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->bytes.find(R"("link":"https://a.example/b/x")"), std::string::npos);
}

constexpr Row refusal_rows[] = {
    {"<html/>", "not a feed: <html> is not <feed>, nor <rss> or <rdf:RDF> with a <channel>"},
    {"<rss/>", "not a feed: <rss> is not <feed>, nor <rss> or <rdf:RDF> with a <channel>"},
    {"", "not XML: empty"},
    {"<rss><channel>", "not XML: Premature end of data in tag channel line 1 at line 1, column 15"},
    {"<rss><channel><title>\xE9</title></channel></rss>",
     "not XML: Input is not proper UTF-8, indicate encoding ! Bytes: 0xE9 0x3C 0x2F 0x74 at line "
     "1, "
     "column 22"},
};
TEST(FeedItems, SaysWhatIsNoFeed) {
  for (const Row& row : refusal_rows)
    EXPECT_EQ(items(row.body), "processing_failed pipeline[0]: " + std::string(row.result));
  for (const std::string_view base : {"mill", "mailto:a@b", "https://", "https://a b/"})
    EXPECT_EQ(
        run(R"([{"op":"feed.items","base_url":")" + std::string(base) + R"("}])", "<rss/>"),
        "invalid_request pipeline[0].base_url: base_url must be an absolute http or https URL");
}

TEST(FeedItems, LongLinksAreLeftAsTheyAre) {
  std::string path;
  for (int i = 0; i < 1'000'000; ++i) path += "a/../";
  const std::string answer = rss_item("<link>" + path + "</link>");
  EXPECT_NE(answer.find("\"url\":\"a/../a/../"), std::string::npos);
  const std::string base = "https://a.example/" + path;
  EXPECT_EQ(absolute_link("x", base), "x");
}

constexpr Row date_rows[] = {
    {"Sat, 07 Sep 2002 00:00:01 GMT", "2002-09-07T00:00:01Z"},
    {" 7 Sep 02 0:00 EDT\n", "2002-09-07T04:00:00Z"},
    {"Sat,07-Sep-99 00:00:01 -0130", "1999-09-07T01:30:01Z"},
    {"Saturday, 7 September 2002 00:00:01", "2002-09-07T00:00:01Z"},
    {"Thu, 01 Jan 2004 00:00:00 +0100 (CET)", "2003-12-31T23:00:00Z"},
    {"Thu, 01 Jan 2004 00:00:00 GMT+01:00", "2003-12-31T23:00:00Z"},
    {"Thu, 29 Feb 2024 23:59:60 UT", "2024-02-29T23:59:59Z"},
    {"1 Jan 2004", "2004-01-01T00:00:00Z"},
    {"2003-12-13T18:30:02.25+01:00", "2003-12-13T17:30:02.25Z"},
    {"2003-12-13 18:30:02", "2003-12-13T18:30:02Z"},
    {"2003-12-13t18:30z", "2003-12-13T18:30:00Z"},
    {"2003-12", "2003-12-01T00:00:00Z"},
    {"2003", "2003-01-01T00:00:00Z"},
    {"", ""},
    {"yesterday", ""},
    {"2003-13-01", ""},
    {"2003-02-29", ""},
    {"2003-12-13T24:00:00Z", ""},
    {"2003-12-13T18:30:02+25:00", ""},
    {"Sat, 31 Nov 2002 00:00:01 GMT", ""},
    {"Sat, 07 Sop 2002 00:00:01 GMT", ""},
    {"0000-01-01T00:00:00+10:00", ""},
    {"1062835200", ""},
};
TEST(FeedDate, IsRfc3339InUtcOrNothing) {
  for (const Row& row : date_rows) EXPECT_EQ(rfc3339_date(row.body), row.result) << row.body;
}

}  // namespace
}  // namespace fetchmill::workers::ops
