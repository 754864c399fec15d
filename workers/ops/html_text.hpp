// A page as text and as Markdown, and which part of it is the article.
#pragma once

#include "workers/ops/html_document.hpp"

#include <string>
#include <string_view>

namespace fetchmill::workers::ops {

// Elements that show nothing: scripts, styles, templates, [hidden], display:none.
bool is_hidden(const GumboNode& element);
// Elements that begin a line of their own.
bool is_block(const GumboNode& element);

// What a reader came for. The first <main> or the one <article>; else, as Readability does, the
// element whose paragraphs score best: a paragraph of 25 bytes and more gives its parent a point,
// one for each comma and one for each 100 bytes up to three, its grandparent half; names that speak
// of articles or of surroundings change that, and so does the share of text in links. Else the
// body.
const GumboNode& main_content(const GumboNode& root);
// Inside the article: navigation, asides, forms and such.
bool is_boilerplate(const GumboNode& element);

struct HtmlWalk {
  bool main_content = false;
  std::string_view base_url;  // Markdown only
};

// The text inside an element as innerText gives it of one that is shown; nothing of a hidden one.
void append_inner_text(const GumboNode& element, std::string& out,
                       bool without_boilerplate = false);
// GitHub Flavored Markdown into `out`, which is empty. False when it grew beyond
// html_result_bytes_max.
bool write_markdown(const GumboNode& node, const HtmlWalk& walk, std::string& out);

}  // namespace fetchmill::workers::ops
