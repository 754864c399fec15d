// The frame of our pages for people: no scripts, nothing from elsewhere.
//
// Trust: append_html takes untrusted text; the other functions take ours.
#pragma once

#include "server/http/message.hpp"

#include <string>
#include <string_view>

namespace fetchmill::handlers {

// Appends text, escaped for content and for quoted attributes.
void append_html(std::string& out, std::string_view text);

// Makes `response` a page: its title (escaped here) and what stands below it (HTML).
void make_page(std::string_view title, std::string_view content, server::http::Response& response);

}  // namespace fetchmill::handlers
