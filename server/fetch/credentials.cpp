#include "server/fetch/credentials.hpp"

#include "config/ascii.hpp"
#include "server/fetch/redirect.hpp"

#include <algorithm>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

Error wrong(const std::string& entry, std::string_view member, std::string_view value,
            std::string_view what) {
  return Error(ErrorCode::invalid_request, '"' + std::string(value) + "\": " + std::string(what),
               entry + '.' + std::string(member));
}

Result<Credential> read(const config::Settings::Credential& from) {
  const std::string entry = "credentials." + from.entry_name;
  Credential credential;
  for (const std::string& text : from.origins) {
    const Result<OriginPattern> pattern = parse_origin_pattern(text);
    if (!pattern) return wrong(entry, "origins", text, pattern.error().detail);
    credential.origins.push_back(*pattern);
  }
  for (const std::string& text : from.methods) {
    const Result<wire::Method> method = check_method(text);
    if (!method) return wrong(entry, "methods", text, method.error().detail);
    credential.methods.push_back(*method);
  }
  if (credential.methods.empty()) credential.methods = {wire::Method::get, wire::Method::head};
  if (crosses_origins(from.header))
    return wrong(entry, "header", from.header, "is no header field for a secret");
  if (const Result<void> checked = check_header(from.header, {}); !checked)
    return wrong(entry, "header", from.header, checked.error().detail);
  credential.header = {from.header, from.value};
  return credential;
}

Error refused(ErrorCode code, std::string_view name, std::string_view why) {
  return Error(code, "the credential '" + std::string(name) + "' " + std::string(why),
               "credential");
}

}  // namespace

bool Credential::is_for(const Url& url, wire::Method method) const {
  return std::find(methods.begin(), methods.end(), method) != methods.end() &&
         std::any_of(origins.begin(), origins.end(),
                     [&](const OriginPattern& origin) { return origin.matches(url); });
}

Result<Credentials> Credentials::make(std::span<const config::Settings::Credential> settings) {
  Credentials credentials;
  for (const config::Settings::Credential& from : settings) {
    Result<Credential> credential = read(from);
    if (!credential) return credential.error();
    credentials.by_name_.emplace_back(from.entry_name,
                                      std::make_shared<const Credential>(std::move(*credential)));
  }
  return credentials;
}

Result<void> Credentials::lend(std::string_view name, FetchRequest& request) const {
  const auto found = std::find_if(by_name_.begin(), by_name_.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  if (found == by_name_.end())
    return Error(ErrorCode::invalid_request, "there is no credential of this name", "credential");
  const Credential& credential = *found->second;
  if (!credential.is_for(request.url, request.method))
    return refused(ErrorCode::credential_denied, name, "is not for this origin and method");
  if (std::any_of(request.headers.begin(), request.headers.end(), [&](const Header& header) {
        return ascii::equals_ignoring_case(header.name, credential.header.name);
      }))
    return refused(ErrorCode::invalid_request, name,
                   "comes in the header " + credential.header.name + ", which the task sets too");
  request.credential = found->second;
  return {};
}

}  // namespace fetchmill::server::fetch
