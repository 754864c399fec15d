// What the references of a page are relative to, and the parameters that ops on pages share.
#pragma once

#include "workers/ops/html_document.hpp"
#include "workers/ops/url_reference.hpp"

#include <string>
#include <string_view>

namespace fetchmill::workers::ops {

inline constexpr std::string_view html_types[] = {"text/html", "application/xhtml+xml"};

inline constexpr ParamSpec base_url_param = {
    .name = "base_url",
    .fault = base_url_fault,
    .description =
        "What relative URLs are resolved against, before the page's own <base>; the "
        "final URL of the fetch if left out.",
};
inline constexpr ParamSpec main_content_param = {
    .name = "main_content",
    .types = boolean_type,
    .default_json = "false",
    .description =
        "Only the article, without navigation, asides and forms: the <main>, the only "
        "<article>, or what the paragraphs' lengths and links speak for.",
};

inline std::string base_url_of(const Params& params) {
  const ParamValue* given = params.find("base_url");
  return given == nullptr ? std::string() : std::get<std::string>(*given);
}

// The page's own <base href> against what was given, or against the final URL.
inline std::string effective_base(const GumboNode& root, std::string_view given,
                                  std::string_view final_url) {
  const std::string_view outer = given.empty() ? final_url : given;
  std::string own;
  auto look = [&](const GumboNode& element) {
    if (!own.empty() || html_tag(element) != GUMBO_TAG_BASE) return;
    if (const auto reference = attribute(element, "href"))
      own = resolve_reference(outer, *reference);
  };
  for_each_element(root, look);
  // Only an http or https URL can be a base.
  if (!own.empty() && base_url_fault(own).empty()) return own;
  return std::string(outer);
}

}  // namespace fetchmill::workers::ops
