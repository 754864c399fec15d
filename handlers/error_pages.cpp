#include "handlers/error_pages.hpp"

#include "config/error.hpp"
#include "config/json_string.hpp"
#include "handlers/html.hpp"
#include "handlers/media_type.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace fetchmill::handlers {
namespace {

using config::ErrorInfo;
using server::http::Request;
using server::http::Response;
using server::wire::FieldId;

constexpr std::string_view prefix = "/errors/";

bool prefers_html(const Request& request) {
  constexpr std::array<std::string_view, 2> offers{"application/json", "text/html"};
  return negotiate(request.field(FieldId::accept), offers) == 1;
}

void append_json(std::string& out, const ErrorInfo& row) {
  out.append("{\"code\":\"").append(row.name).append("\",\"status\":");
  out += std::to_string(row.http_status) + ",\"title\":";
  config::append_json_string(out, row.title);
  out += ",\"advice\":";
  config::append_json_string(out, row.advice);
  out += row.retryable ? ",\"retryable\":true}" : ",\"retryable\":false}";
}

void append_code(std::string& out, std::string_view text) {
  out += "<code>";
  append_html(out, text);
  out += "</code>";
}

void make_error_page(const ErrorInfo& row, Response& response) {
  std::string content = "<p>";
  append_code(content, row.name);
  content += ", answered with status " + std::to_string(row.http_status) + ".</p>\n<h2>What to do";
  content += "</h2>\n<p>";
  append_html(content, row.advice);
  content += row.retryable
                 ? "</p>\n<p>The same request may succeed when it is sent again.</p>\n"
                 : "</p>\n<p>Sending the same request again will not help, unless the error's own "
                   "<code>retryable</code> is true.</p>\n";
  content += "<p><a href=\"/errors/\">All errors</a> · <a href=\"/\">Start</a></p>\n";
  make_page(row.title, content, response);
}

void make_list_page(Response& response) {
  std::string content =
      "<p>Every error is answered as <code>application/problem+json</code> (RFC 9457) with one of "
      "these as its <code>code</code>.</p>\n<div class=\"wide\">\n<table>\n"
      "<tr><th>Code</th><th>Status</th><th>Meaning</th></tr>\n";
  for (const ErrorInfo& row : config::error_catalogue()) {
    content.append("<tr><td><a href=\"").append(prefix).append(row.name).append("\">");
    append_code(content, row.name);
    content += "</a></td><td>" + std::to_string(row.http_status) + "</td><td>";
    append_html(content, row.title);
    content += "</td></tr>\n";
  }
  content += "</table>\n</div>\n<p><a href=\"/\">Start</a></p>\n";
  make_page("Errors", content, response);
}

void make_list_json(Response& response) {
  response.media_type = "application/json";
  std::string_view separator = "{\"errors\":[";
  for (const ErrorInfo& row : config::error_catalogue()) {
    response.body += separator;
    append_json(response.body, row);
    separator = ",";
  }
  response.body += "]}\n";
}

}  // namespace

void error_page(const Request& request, Response& response) {
  const std::string_view code = request.path.substr(std::min(prefix.size(), request.path.size()));
  const ErrorInfo* row = config::find_error(code);
  if (!row && !code.empty()) {
    response = server::http::problem(
        config::Error(config::ErrorCode::not_found, "there is no error '" +
                                                        std::string(code.substr(0, 100)) +
                                                        "'; GET /errors/ lists them"),
        request.id);
    return;
  }
  server::http::append_field_line(response.headers, "Vary", "Accept");
  if (prefers_html(request)) {
    row ? make_error_page(*row, response) : make_list_page(response);
  } else if (row) {
    response.media_type = "application/json";
    append_json(response.body, *row);
    response.body += '\n';
  } else {
    make_list_json(response);
  }
}

}  // namespace fetchmill::handlers
