#include "workers/json/json_tokens.hpp"

#include <algorithm>

namespace fetchmill::workers::json {
namespace {

// What a tokenizer keeps between texts. It has room for a token a byte, of which it writes as many
// as there are: about one for eight bytes in records.
constexpr std::size_t kept_capacity_max = 16 * 1024 * 1024;
constexpr std::size_t kept_tokens_max = 2 * 1024 * 1024;

}  // namespace

using simdjson::error_code;

JsonTokens::JsonTokens(std::string_view text,
                       const simdjson::internal::dom_parser_implementation& stage1)
    : text_(text.data()),
      next_(stage1.structural_indexes.get()),
      end_(next_ + stage1.n_structural_indexes),
      stage1_(&stage1) {}

error_code JsonTokens::take(std::string_view& raw) {
  const char* const begin = this->begin();
  const bool is_container = at_container();
  if (const auto error = pass()) return error;
  raw = is_container ? std::string_view(begin, text_ + next_[-1] + 1)
                     : without_trailing_space({begin, text_ + *next_});
  return simdjson::SUCCESS;
}

error_code JsonTokens::pass_rest() {
  const std::size_t outside = depth_ - 1;
  bool in_object = is_object();
  while (true) {
    if (in_object) {
      if (!at_member()) return simdjson::TAPE_ERROR;
      pass_key();
    }
    if (at_end()) return simdjson::TAPE_ERROR;
    switch (detail::kind_of(first())) {
      case detail::JsonByte::scalar:
        if (const auto error = pass_scalar()) return error;
        break;
      case detail::JsonByte::opening: {
        bool empty = false;
        if (const auto error = enter(empty)) return error;
        if (empty) break;
        in_object = is_object();
        continue;
      }
      case detail::JsonByte::no_value:
        return simdjson::TAPE_ERROR;
    }
    while (true) {
      bool more = false;
      if (const auto error = next(in_object ? '}' : ']', more)) return error;
      if (more) break;
      if (depth_ == outside) return simdjson::SUCCESS;
      in_object = is_object();
    }
  }
}

error_code JsonTokens::finish() const {
  return at_end() ? simdjson::SUCCESS : simdjson::TRAILING_CONTENT;
}

error_code JsonTokens::unescape(std::string_view string, std::string& buffer) const {
  if (string.size() < 2 || string.back() != '"') return simdjson::TAPE_ERROR;
  buffer.resize(string.size() + simdjson::SIMDJSON_PADDING);
  auto* const out = reinterpret_cast<std::uint8_t*>(buffer.data());
  const std::uint8_t* const end =
      stage1_->parse_string(reinterpret_cast<const std::uint8_t*>(string.data()) + 1, out);
  if (end == nullptr) return simdjson::STRING_ERROR;
  buffer.resize(static_cast<std::size_t>(end - out));
  return simdjson::SUCCESS;
}

error_code JsonTokenizer::start(std::string_view text, JsonTokens& tokens) {
  error_code error = simdjson::SUCCESS;
  if (stage1_ == nullptr)
    // max_depth is for simdjson's own second stage.
    error = simdjson::get_active_implementation()->create_dom_parser_implementation(text.size(), 1,
                                                                                    stage1_);
  else if (stage1_->capacity() < text.size())
    error = stage1_->set_capacity(text.size());
  if (error) {
    stage1_.reset();
    return error;
  }
  error = stage1_->stage1(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                          simdjson::stage1_mode::regular);
  tokens_max_ = std::max<std::size_t>(tokens_max_, stage1_->n_structural_indexes);
  if (!error) tokens = JsonTokens(text, *stage1_);
  return error;
}

void JsonTokenizer::release_if_large() {
  if (stage1_ == nullptr) return;
  if (stage1_->capacity() <= kept_capacity_max && tokens_max_ <= kept_tokens_max) return;
  stage1_.reset();
  tokens_max_ = 0;
}

}  // namespace fetchmill::workers::json
