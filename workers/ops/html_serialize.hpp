// A tree as HTML again, by the standard's serialisation.
#pragma once

#include "workers/ops/html_document.hpp"

#include <string>

namespace fetchmill::workers::ops {

void append_outer_html(const GumboNode& node, std::string& out);
void append_inner_html(const GumboNode& element, std::string& out);

}  // namespace fetchmill::workers::ops
