#include "handlers/openapi_conditions.hpp"

#include "handlers/field_values.hpp"
#include "handlers/openapi_json.hpp"

namespace fetchmill::handlers::openapi {
namespace {

// One entity tag after the other (RFC 9110 §8.8.3), or "*".
std::string entity_tags(const std::string& example) {
  const std::string tag = R"((W/)?\"[^\\x00-\\x20\"\\x7F]*\")";
  return R"("type":"string","maxLength":)" + std::to_string(condition_bytes_max) +
         R"(,"pattern":"^(\\*|[ \\t,]*)" + tag + R"(([ \\t]*,[ \\t,]*)" + tag +
         R"()*[ \\t,]*)$","examples":[)" + text(example) + ']';
}

}  // namespace

std::vector<std::string> condition_fields() {
  return {
      property("if_none_match",
               "Sent to the upstream as If-None-Match; where it answers 304 the outcome is "
               "`unchanged`. Only with GET and HEAD. The cache takes no part.",
               entity_tags(R"("v1", W/"v2")")),
      property("if_modified_since",
               "An HTTP date, sent to the upstream as If-Modified-Since; else like if_none_match.",
               R"("type":"string","examples":["Sun, 06 Nov 1994 08:49:37 GMT"])"),
      property("unless_etag",
               "Entity tags of results the caller has: where the result has one of them, compared "
               "weakly, the outcome is `unchanged` and has no result.",
               entity_tags(R"("0f3c9a2b1d4e5f60718293a4b5c6d7e8")")),
  };
}

}  // namespace fetchmill::handlers::openapi
