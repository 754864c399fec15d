#include "handlers/html.hpp"

namespace fetchmill::handlers {
namespace {

constexpr std::string_view page_start = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;line-height:1.2}
h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8884}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
td code{white-space:nowrap}
pre{background:#8882;padding:.8rem;border-radius:.4rem;overflow-x:auto}
.wide{overflow-x:auto}
</style>
<title>)";

// 'unsafe-inline' is for the style element above; nothing untrusted gets into a page unescaped.
constexpr std::string_view policy =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

std::string_view escape(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

}  // namespace

void append_html(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (const std::string_view escaped = escape(c); !escaped.empty())
      out += escaped;
    else
      out += c;
  }
}

void make_page(std::string_view title, std::string_view content, server::http::Response& response) {
  response.media_type = "text/html; charset=utf-8";
  server::http::append_field_line(response.headers, "X-Content-Type-Options", "nosniff");
  server::http::append_field_line(response.headers, "Content-Security-Policy", policy);
  server::http::append_field_line(response.headers, "Referrer-Policy", "no-referrer");
  std::string& body = response.body;
  body = page_start;
  append_html(body, title);
  body += "</title>\n</head>\n<body>\n<main>\n<h1>";
  append_html(body, title);
  body += "</h1>\n";
  body += content;
  body += "</main>\n</body>\n</html>\n";
}

}  // namespace fetchmill::handlers
