#include "server/fetch/cache/cache_control.hpp"

#include "config/ascii.hpp"
#include "server/wire/chars.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace fetchmill::server::fetch::cache {
namespace {

struct Directive {
  std::string_view name;
  std::string_view argument;
  bool has_argument = false;
  bool well_formed = true;
};

// Up to the next comma that stands in no quotes. Empty: the quotes do not close.
std::optional<std::string_view> next_item(std::string_view& rest) {
  bool quoted = false;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (quoted && rest[i] == '\\') {
      ++i;
    } else if (rest[i] == '"') {
      quoted = !quoted;
    } else if (rest[i] == ',' && !quoted) {
      const std::string_view item = rest.substr(0, i);
      rest.remove_prefix(i + 1);
      return item;
    }
  }
  if (quoted) return std::nullopt;
  return std::exchange(rest, {});
}

Directive parse_directive(std::string_view item) {
  item = ascii::trimmed(item, " \t");
  Directive directive;
  directive.name = item.substr(0, wire::span_of(wire::token_char, item));
  std::string_view rest = item.substr(directive.name.size());
  if (rest.empty()) return directive;
  directive.has_argument = true;
  if (rest.front() != '=') {
    directive.well_formed = false;
    return directive;
  }
  rest.remove_prefix(1);
  if (rest.size() >= 2 && rest.front() == '"' && rest.back() == '"')
    rest = rest.substr(1, rest.size() - 2);
  else
    directive.well_formed = !rest.empty() && wire::span_of(wire::token_char, rest) == rest.size();
  directive.argument = rest;
  return directive;
}

std::optional<seconds> argument_of(const Directive& directive) {
  if (!directive.well_formed) return std::nullopt;
  return parse_delta_seconds(directive.argument);
}

// How long something may be reused: less is safer.
void limit(std::optional<seconds>& value, const Directive& directive) {
  const seconds given = argument_of(directive).value_or(seconds(0));
  value = value && *value != given ? seconds(0) : given;
}

void read_number(const Directive& directive, CacheControl& into) {
  const auto is = [&](std::string_view name) {
    return ascii::equals_ignoring_case(directive.name, name);
  };
  if (is("max-age")) {
    limit(into.max_age, directive);
  } else if (is("s-maxage")) {
    limit(into.s_maxage, directive);
  } else if (is("stale-while-revalidate")) {
    limit(into.stale_while_revalidate, directive);
  } else if (is("stale-if-error")) {
    limit(into.stale_if_error, directive);
  } else if (is("max-stale")) {
    if (directive.has_argument)
      limit(into.max_stale, directive);
    else
      into.max_stale = into.max_stale.value_or(delta_seconds_max);
  } else if (is("min-fresh")) {
    into.min_fresh = std::max(into.min_fresh.value_or(seconds(0)),
                              argument_of(directive).value_or(delta_seconds_max));
  }
}

void read_word(const Directive& directive, CacheControl& into) {
  const auto is = [&](std::string_view name) {
    return ascii::equals_ignoring_case(directive.name, name);
  };
  if (is("no-store")) {
    into.no_store = true;
  } else if (is("no-cache")) {
    into.no_cache = true;
  } else if (is("private")) {
    into.is_private = true;
  } else if (is("must-revalidate")) {
    into.must_revalidate = true;
  } else if (is("proxy-revalidate")) {
    into.proxy_revalidate = true;
  } else if (is("only-if-cached")) {
    into.only_if_cached = true;
  } else if (!directive.has_argument && is("public")) {
    into.is_public = true;
  } else if (!directive.has_argument && is("must-understand")) {
    into.must_understand = true;
  }
}

}  // namespace

std::optional<seconds> parse_delta_seconds(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), ascii::is_digit)) return std::nullopt;
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) return delta_seconds_max;
  return std::min(seconds(number), delta_seconds_max);
}

void read_cache_control(std::string_view value, CacheControl& into) {
  while (!value.empty()) {
    const std::optional<std::string_view> item = next_item(value);
    if (!item) {
      into.no_store = true;
      return;
    }
    const Directive directive = parse_directive(*item);
    read_number(directive, into);
    read_word(directive, into);
  }
}

}  // namespace fetchmill::server::fetch::cache
