#include "handlers/cli/messages.hpp"

#include "config/printable.hpp"

#include <algorithm>
#include <utility>

namespace fetchmill::handlers::cli {
namespace {

constexpr std::size_t shown_bytes_max = 1000;

std::string printable(std::string_view text) {
  return config::printable(text, shown_bytes_max);
}

// "timeout_ms" → "--timeout-ms"; a place within a value stays as it is.
std::string option_of(std::string field) {
  if (field.find_first_of(".[") != std::string::npos) return field;
  std::ranges::replace(field, '_', '-');
  return "--" + field;
}

// What errors tell HTTP clients, and what that is called here.
constexpr std::pair<std::string_view, std::string_view> other_words[] = {
    {"named in `detail`", "named above"},
    {"named in `field`", "named above"},
    {"`detail` says", "The line above says"},
    {"`detail` names", "The line above names"},
    {"GET /v1/ops lists", "`fetchmill ops` lists"},
    {"GET /v1/pipelines lists", "`fetchmill print-config` lists"},
    {"status in accept_status", "status with --accept-status"},
    {"raise max_redirects", "raise --max-redirects"},
    {"Raise max_bytes", "Raise --max-bytes"},
    {"Raise timeout_ms", "Raise --timeout-ms"},
    {"Raise deadline_ms", "Raise --deadline-ms"},
    {"cache=only_if_cached", "--cache only_if_cached"},
    {"; in a URL, percent-encode the whole value", ""},
    {" in a query, such as ", ", such as --"},
    {" needs the parameter ", " needs --"},
};

std::string in_own_words(std::string text) {
  for (const auto& [from, to] : other_words)
    if (const std::size_t at = text.find(from); at != std::string::npos)
      text.replace(at, from.size(), to);
  return text;
}

std::string sentence(std::string text) {
  if (!text.ends_with('?') && !text.ends_with('.')) text += '.';
  return text;
}

}  // namespace

std::string failure(std::string_view subject, const config::Error& error) {
  const config::ErrorInfo& row = config::info(error.code);
  std::string out = "fetchmill: " + printable(subject) + ": " + std::string(row.title);
  if (!error.detail.empty()) out += ": " + printable(in_own_words(error.detail));
  out = sentence(std::move(out)) + '\n' + in_own_words(std::string(row.advice));
  if (row.advice.find("operator") != std::string_view::npos)
    out += " Here the operator is you: each setting is also a flag, as in --fetch.allow_networks.";
  return out + " (" + std::string(row.name) + ")\n";
}

std::string usage_mistake(std::string_view command, const config::Error& error) {
  std::string out = "fetchmill " + std::string(command) + ": ";
  if (!error.field.empty()) out += printable(option_of(error.field)) + ": ";
  out += printable(error.detail.empty() ? std::string(config::info(error.code).title)
                                        : in_own_words(error.detail));
  return sentence(std::move(out)) + "\n`fetchmill " + std::string(command) +
         " --help` explains it, with examples.\n";
}

std::string cannot_start(const config::Error& error) {
  return cannot("start", error.field.empty() ? error.detail : error.field + ": " + error.detail);
}

std::string not_for_a_terminal() {
  return cannot("write the result", "it is not plain text, and standard output is a terminal") +
         "Send it to a file or another program: fetchmill ... > FILE\n";
}

std::string cannot(std::string_view what, std::string_view why) {
  return "fetchmill: cannot " + printable(what) + ": " + printable(why) + ".\n";
}

}  // namespace fetchmill::handlers::cli
