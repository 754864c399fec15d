// The trees of pages against html5lib's tests: whole documents, scripting off.
//
// Gumbo follows the standard of 2015, so some later cases differ; the count may only rise.
#include "tests/unit/workers/op_fixture.hpp"
#include "workers/ops/html_document.hpp"

#include <algorithm>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

constexpr std::size_t html5lib_trees_that_match = 1484;

struct Case {
  std::string data;
  std::string document;
};

// The cases of one file that are whole documents without scripting.
std::vector<Case> read_cases(const std::string& file) {
  std::vector<Case> cases;
  std::string_view rest = file;
  while (rest.starts_with("#data\n")) {
    const std::size_t next = rest.find("\n\n#data\n");
    std::string_view one = rest.substr(0, next);
    rest.remove_prefix(next == std::string_view::npos ? rest.size() : next + 2);
    const std::size_t errors = one.find("\n#errors");
    const std::size_t tree = one.find("\n#document\n");
    if (errors == std::string_view::npos || tree == std::string_view::npos) continue;
    if (one.find("\n#document-fragment\n") != std::string_view::npos) continue;
    if (one.find("\n#script-on\n") != std::string_view::npos) continue;
    std::string_view document = one.substr(tree + 11);
    while (document.ends_with('\n')) document.remove_suffix(1);
    const std::string_view data = one.substr(0, errors);
    cases.push_back(
        {std::string(data.substr(std::min<std::size_t>(6, data.size()))), std::string(document)});
  }
  return cases;
}

// Elements, attributes and text as html5lib writes them. Doctypes are not part of gumbo's tree.
void append_tree(const GumboNode& node, std::size_t depth, std::string& out) {
  const std::string indent = "| " + std::string(depth * 2, ' ');
  if (is_text(node)) {
    out += indent + '"' + node.v.text.text + "\"\n";
  } else if (node.type == GUMBO_NODE_COMMENT) {
    out += indent + "<!-- " + node.v.text.text + " -->\n";
  } else if (is_element(node)) {
    const GumboElement& e = node.v.element;
    const std::string space = e.tag_namespace == GUMBO_NAMESPACE_SVG      ? "svg "
                              : e.tag_namespace == GUMBO_NAMESPACE_MATHML ? "math "
                                                                          : "";
    std::string name(tag_name(node));
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    out += indent + '<' + space + name + ">\n";
    std::vector<std::string> attributes;
    for (unsigned i = 0; i < e.attributes.length; ++i) {
      const auto* a = static_cast<const GumboAttribute*>(e.attributes.data[i]);
      attributes.push_back(std::string(a->name) + "=\"" + a->value + '"');
    }
    std::ranges::sort(attributes);
    for (const std::string& a : attributes) out += indent + "  " + a + '\n';
    if (node.type == GUMBO_NODE_TEMPLATE) out += indent + "  content\n";
  }
  const std::size_t inner = node.type == GUMBO_NODE_DOCUMENT   ? depth
                            : node.type == GUMBO_NODE_TEMPLATE ? depth + 2
                                                               : depth + 1;
  for (const GumboNode* child : children(node)) append_tree(*child, inner, out);
}

std::string without_doctype(std::string tree) {
  if (const std::size_t at = tree.find("| <!DOCTYPE"); at != std::string::npos) {
    const std::size_t end = tree.find("\n|", at);
    tree.erase(at, end == std::string::npos ? std::string::npos : end + 1 - at);
  }
  return tree;
}

TEST(HtmlTree, IsTheStandardsTree) {
  const auto folder = corpus("html/tree-construction");
  if (!folder) GTEST_SKIP() << "FETCHMILL_CORPORA is not set";
  std::size_t total = 0;
  std::size_t same = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
    if (entry.path().extension() != ".dat") continue;
    for (const Case& c : read_cases(read_file(entry.path()))) {
      const PaddedBody body(c.data);
      HtmlDocument page;
      ASSERT_TRUE(page.parse({.bytes = body.view(), .media_type = "text/html; charset=utf-8"}))
          << c.data;
      std::string tree;
      append_tree(page.document(), 0, tree);
      while (tree.ends_with('\n')) tree.pop_back();
      ++total;
      same += tree == without_doctype(c.document) ? 1U : 0U;
    }
  }
  std::cout << "html5lib: " << same << " of " << total << " trees\n";
  EXPECT_GE(same, html5lib_trees_that_match);
}

}  // namespace
}  // namespace fetchmill::workers::ops
