// Which part of a page is the article: see html_text.hpp. After Arc90's and Mozilla's Readability.
#include "config/ascii.hpp"
#include "workers/ops/html_text.hpp"

#include <algorithm>
#include <unordered_map>

namespace fetchmill::workers::ops {
namespace {

constexpr std::string_view article_words[] = {"article", "content", "entry", "main",
                                              "post",    "story",   "text",  "body"};
constexpr std::string_view surrounding_words[] = {
    "comment", "sidebar", "footer", "foot-",   "masthead",  "promo",
    "related", "share",   "social", "sponsor", "widget",    "menu",
    "navbar",  "cookie",  "banner", "popup",   "breadcrumb"};

bool names_one_of(const GumboNode& element, std::span<const std::string_view> words) {
  for (const char* name : {"class", "id"}) {
    const std::string text = ascii::to_lower(attribute_or_empty(element, name));
    for (const std::string_view word : words)
      if (text.find(word) != std::string::npos) return true;
  }
  return false;
}

struct Score {
  double points = 0;
  std::size_t text_bytes = 0;
  std::size_t link_bytes = 0;
};

class Scores {
 public:
  explicit Scores(const GumboNode& root) : root_(root) { measure(root, false); }

  const GumboNode* best() const {
    const GumboNode* found = nullptr;
    double most = 0;
    for (const GumboNode* node : candidates_) {
      const Score& score = scores_.at(node);
      const double links = score.text_bytes == 0 ? 0
                                                 : static_cast<double>(score.link_bytes) /
                                                       static_cast<double>(score.text_bytes);
      const double points = (score.points + weight(*node)) * (1 - links);
      if (points <= most) continue;
      most = points;
      found = node;
    }
    return found;
  }

 private:
  struct Measure {
    std::size_t text = 0;
    std::size_t links = 0;
    std::size_t commas = 0;
  };

  static double weight(const GumboNode& node) {
    double points = 0;
    if (names_one_of(node, article_words)) points += 25;
    if (names_one_of(node, surrounding_words)) points -= 25;
    if (html_tag(node) == GUMBO_TAG_ARTICLE) points += 10;
    return points;
  }

  Measure measure(const GumboNode& node, bool in_link) {
    Measure sum;
    if (is_text(node)) {
      const std::string_view text = ascii::trimmed(node.v.text.text);
      sum.text = text.size();
      sum.links = in_link ? text.size() : 0;
      sum.commas = static_cast<std::size_t>(std::ranges::count(text, ','));
      return sum;
    }
    if (is_element(node) && (is_hidden(node) || is_boilerplate(node))) return sum;
    const GumboTag tag = html_tag(node);
    for (const GumboNode* child : children(node)) {
      const Measure part = measure(*child, in_link || tag == GUMBO_TAG_A);
      sum.text += part.text;
      sum.links += part.links;
      sum.commas += part.commas;
    }
    if ((tag == GUMBO_TAG_P || tag == GUMBO_TAG_PRE || tag == GUMBO_TAG_TD ||
         tag == GUMBO_TAG_BLOCKQUOTE) &&
        sum.text >= 25)
      reward(node, sum);
    if (const auto found = scores_.find(&node); found != scores_.end()) {
      found->second.text_bytes = sum.text;
      found->second.link_bytes = sum.links;
    }
    return sum;
  }

  void reward(const GumboNode& paragraph, const Measure& measured) {
    const double points = 1 + static_cast<double>(measured.commas) +
                          static_cast<double>(std::min<std::size_t>(measured.text / 100, 3));
    const GumboNode* parent = paragraph.parent;
    if (parent == nullptr || !is_element(*parent)) return;
    add(*parent, points);
    if (parent != &root_ && parent->parent != nullptr && is_element(*parent->parent))
      add(*parent->parent, points / 2);
  }

  void add(const GumboNode& node, double points) {
    const auto [found, is_new] = scores_.try_emplace(&node);
    if (is_new) candidates_.push_back(&node);
    found->second.points += points;
  }

  const GumboNode& root_;
  std::unordered_map<const GumboNode*, Score> scores_;
  std::vector<const GumboNode*> candidates_;  // in the order found: the same page, the same answer
};

}  // namespace

bool is_boilerplate(const GumboNode& element) {
  switch (html_tag(element)) {
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_MENU:
      return true;
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_HTML:
      return false;
    default:
      break;
  }
  const std::string_view role = attribute_or_empty(element, "role");
  for (const std::string_view unwanted :
       {"navigation", "banner", "contentinfo", "complementary", "search", "menu", "dialog"})
    if (role == unwanted) return true;
  return attribute_or_empty(element, "aria-hidden") == "true";
}

const GumboNode& main_content(const GumboNode& root) {
  const GumboNode* main = nullptr;
  const GumboNode* article = nullptr;
  const GumboNode* body = &root;
  std::size_t articles = 0;
  auto look = [&](const GumboNode& node) {
    const GumboTag tag = html_tag(node);
    if (tag == GUMBO_TAG_BODY) body = &node;
    if (main == nullptr && (tag == GUMBO_TAG_MAIN || attribute_or_empty(node, "role") == "main"))
      main = &node;
    if (tag == GUMBO_TAG_ARTICLE && articles++ == 0) article = &node;
  };
  for_each_element(root, look);
  if (main != nullptr) return *main;
  if (articles == 1) return *article;
  const GumboNode* best = Scores(*body).best();
  return best == nullptr ? *body : *best;
}

}  // namespace fetchmill::workers::ops
