#include "workers/ops/html_document.hpp"

#include "config/ascii.hpp"
#include "workers/ops/charset.hpp"
#include "workers/ops/html_scan.hpp"

#include <algorithm>
#include <csetjmp>
#include <vector>

#include <simdjson.h>

namespace fetchmill::workers::ops {

using config::Error;
using config::ErrorCode;
using config::Result;

// Bump allocation with an end. Only the youngest piece can be given back, which covers the parser's
// many short-lived buffers.
class HtmlArena {
 public:
  // Where to go on when the end is reached: gumbo takes no null pointer.
  std::jmp_buf& when_full() { return when_full_; }

  void* allocate(std::size_t size) {
    size = (size + 15) / 16 * 16;
    if (size > room_) {
      const std::size_t block = std::max(size, block_bytes);
      if (block > html_tree_bytes_max - taken_) std::longjmp(when_full_, 1);
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
      taken_ += block;
      next_ = blocks_.back().get();
      room_ = block;
    }
    youngest_ = next_;
    next_ += size;
    room_ -= size;
    return youngest_;
  }

  void deallocate(const void* piece) {
    if (piece == nullptr || piece != youngest_) return;
    room_ += static_cast<std::size_t>(next_ - youngest_);
    next_ = youngest_;
    youngest_ = nullptr;
  }

 private:
  static constexpr std::size_t block_bytes = 256UL << 10U;

  std::jmp_buf when_full_{};
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t taken_ = 0;
  char* next_ = nullptr;
  char* youngest_ = nullptr;
  std::size_t room_ = 0;
};

namespace {

void* allocate_in(void* arena, std::size_t size) {
  return static_cast<HtmlArena*>(arena)->allocate(size);
}
void deallocate_in(void* arena, void* piece) {
  static_cast<HtmlArena*>(arena)->deallocate(piece);
}

// Null when the arena is full. No object with a destructor may live here: longjmp skips them.
const GumboOutput* parse_in(HtmlArena& arena, const char* text, std::size_t size) {
  GumboOptions options = kGumboDefaultOptions;
  options.allocator = allocate_in;
  options.deallocator = deallocate_in;
  options.userdata = &arena;
  options.max_errors = 0;
  if (setjmp(arena.when_full()) != 0) return nullptr;
  return gumbo_parse_with_options(&options, text, size);
}

// Without recursion: this is what makes sure that others may recurse.
bool is_too_deep(const GumboNode& root) {
  std::vector<std::span<const GumboNode* const>> levels{children(root)};
  while (!levels.empty()) {
    if (levels.back().empty()) {
      levels.pop_back();
      continue;
    }
    const GumboNode* node = levels.back().front();
    levels.back() = levels.back().subspan(1);
    if (const auto inside = children(*node); !inside.empty()) levels.push_back(inside);
    if (levels.size() > html_tree_depth_max) return true;
  }
  return false;
}

}  // namespace

HtmlDocument::HtmlDocument() = default;
HtmlDocument::~HtmlDocument() = default;

void HtmlDocument::clear() {
  output_ = nullptr;
  arena_.reset();
  text_ = {};
}

Result<void> HtmlDocument::parse(const Input& input) {
  clear();
  const HtmlEncoding encoding = html_encoding(input.bytes, input.media_type);
  std::string_view text = input.bytes.substr(encoding.mark_bytes);
  if (text.size() <= html_text_bytes_max &&
      (encoding.charset != &utf8_charset() || !simdjson::validate_utf8(text.data(), text.size()))) {
    if (auto done = decode_to_utf8(*encoding.charset, text, text_); !done) return done.error();
    text = text_;
  }
  if (text.size() > html_text_bytes_max)
    return Error(ErrorCode::processing_failed, "the page has more than 64 MiB of text");
  if (auto done = check_html_nesting(text); !done) return done;
  arena_ = std::make_unique<HtmlArena>();
  output_ = parse_in(*arena_, text.data(), text.size());
  if (output_ == nullptr)
    return Error(ErrorCode::processing_failed, "the page's tree takes more than 256 MiB");
  if (is_too_deep(document()))
    return Error(ErrorCode::processing_failed, "elements nest more than " +
                                                   std::to_string(html_tree_depth_max) +
                                                   " deep once left open ones are opened again");
  return {};
}

std::span<const GumboNode* const> children(const GumboNode& node) {
  const GumboVector* list = nullptr;
  if (node.type == GUMBO_NODE_DOCUMENT)
    list = &node.v.document.children;
  else if (is_element(node))
    list = &node.v.element.children;
  if (list == nullptr || list->length == 0) return {};
  return {reinterpret_cast<const GumboNode* const*>(list->data), list->length};
}

GumboTag html_tag(const GumboNode& node) {
  if (!is_element(node) || node.v.element.tag_namespace != GUMBO_NAMESPACE_HTML)
    return GUMBO_TAG_UNKNOWN;
  return node.v.element.tag;
}

std::string_view tag_name(const GumboNode& element) {
  const GumboElement& e = element.v.element;
  if (e.tag != GUMBO_TAG_UNKNOWN) return gumbo_normalized_tagname(e.tag);
  GumboStringPiece name = e.original_tag;
  gumbo_tag_from_original_text(&name);
  return name.data == nullptr ? std::string_view() : std::string_view(name.data, name.length);
}

std::optional<std::string_view> attribute(const GumboNode& element, const char* name) {
  const GumboAttribute* found = gumbo_get_attribute(&element.v.element.attributes, name);
  if (found == nullptr) return std::nullopt;
  return found->value;
}

std::string_view attribute_or_empty(const GumboNode& element, const char* name) {
  return attribute(element, name).value_or(std::string_view());
}

void append_text_content(const GumboNode& node, std::string& out) {
  if (is_text(node)) out += node.v.text.text;
  for (const GumboNode* child : children(node)) append_text_content(*child, out);
}

std::string collapsed(std::string_view text) {
  std::string out;
  bool space = false;
  for (const char c : text) {
    if (ascii::is_whitespace(c)) {
      space = !out.empty();
      continue;
    }
    if (space) out += ' ';
    space = false;
    out += c;
  }
  return out;
}

}  // namespace fetchmill::workers::ops
