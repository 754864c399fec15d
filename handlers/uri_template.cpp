#include "handlers/uri_template.hpp"

#include "config/ascii.hpp"
#include "config/percent.hpp"

#include <algorithm>
#include <optional>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// RFC 6570 §2.3: no dot at either end, none behind another.
bool is_variable_name(std::string_view name) {
  if (name.empty() || name.front() == '.' || name.back() == '.') return false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '%') {
      if (!config::percent_escape(name.substr(i))) return false;
      i += 2;
    } else if (name[i] == '.') {
      if (name[i - 1] == '.') return false;
    } else if (!ascii::is_alphanumeric(name[i]) && name[i] != '_') {
      return false;
    }
  }
  return true;
}

Error bad_template(std::size_t at, std::string_view what) {
  return Error(ErrorCode::invalid_request, "byte " + std::to_string(at) +
                                               " of the URL template: " + std::string(what) +
                                               "; a template has variables such as {name}");
}

// What comes next: text up to an expression, and the name in that; without one, the rest.
struct Piece {
  std::string_view text;
  std::optional<std::string_view> name;
  std::size_t bytes = 0;  // of the template
};

Result<Piece> next_piece(std::string_view whole, std::size_t at) {
  const std::string_view rest = whole.substr(at);
  const std::size_t brace = rest.find_first_of("{}");
  if (brace == std::string_view::npos) return Piece{rest, std::nullopt, rest.size()};
  if (rest[brace] == '}') return bad_template(at + brace, "a } without its {");
  const std::size_t end = rest.find('}', brace);
  if (end == std::string_view::npos) return bad_template(at + brace, "a { without its }");
  const std::string_view name = rest.substr(brace + 1, end - brace - 1);
  if (!is_variable_name(name))
    return bad_template(at + brace, "what stands in braces is no name of a variable");
  return Piece{rest.substr(0, brace), name, end + 1};
}

void append_encoded(std::string& out, std::string_view value) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : value) {
    if (ascii::is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

Error in_variable(std::string_view name, std::string detail) {
  return Error(ErrorCode::invalid_request, std::move(detail),
               "vars." + std::string(name.substr(0, 100)));
}

}  // namespace

Result<bool> check_template(std::string_view text) {
  bool has_expression = false;
  for (std::size_t at = 0; at < text.size();) {
    const Result<Piece> piece = next_piece(text, at);
    if (!piece) return piece.error();
    has_expression = has_expression || piece->name;
    at += piece->bytes;
  }
  return has_expression;
}

Result<std::string> expand_template(std::string_view text, const Variables& variables,
                                    std::size_t bytes_max) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Result<Piece> piece = next_piece(text, at);
    if (!piece) return piece.error();
    at += piece->bytes;
    out += piece->text;
    if (!piece->name) continue;
    const auto variable = std::ranges::find(variables, *piece->name, &Variables::value_type::first);
    if (variable == variables.end())
      return in_variable(*piece->name, "the URL template has no value for {" +
                                           std::string(piece->name->substr(0, 100)) + "}");
    // Before it is encoded: a short template may name a large value very often.
    if (out.size() + variable->second.size() <= bytes_max)
      append_encoded(out, variable->second);
    else
      out.resize(bytes_max + 1);
    if (out.size() > bytes_max)
      return in_variable(*piece->name,
                         "the URL would be longer than " + std::to_string(bytes_max) + " bytes");
  }
  return out;
}

}  // namespace fetchmill::handlers
