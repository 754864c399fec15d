// links: fetchmill_ops
// Any bytes as an XML document, under every op that reads one; and any text as an XPath expression.
// Each answers or refuses, the same whatever was read before, with a result that is JSON.
//
// An input is a line and the document: a digit for the pipeline, or an XPath expression.
#include "tests/support/fuzz_check.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/pipeline.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace fetchmill::workers;
using fetchmill::support::check;

namespace {

constexpr std::string_view pipelines[] = {
    R"([{"op":"feed.items"}])",
    R"([{"op":"feed.items","base_url":"https://a.example/b"}])",
    R"([{"op":"sitemap.urls"}])",
    R"([{"op":"xml.select","xpath":"//*/@*","output":"text"}])",
    R"_([{"op":"xml.select","xpath":"/ | //node()","output":"xml"}])_",
    R"([{"op":"xml.select","xpath":"//x:*","namespaces":{"x":"urn:x"},"output":"xml"}])",
};

std::string pipeline_for(std::string_view line) {
  if (line.size() == 1 && line[0] >= '0' && line[0] < '0' + static_cast<int>(std::size(pipelines)))
    return std::string(pipelines[line[0] - '0']);
  std::string pipeline = R"([{"op":"xml.select","xpath":)";
  json::append_json_string(pipeline, line);
  return pipeline + R"(,"namespaces":{"x":"urn:x"}}])";
}

std::string outcome(ops::Runner& runner, const std::string& pipeline, const ops::Input& input) {
  const auto result = runner.run(pipeline, input);
  if (!result) return "!" + result.error().detail;
  check(runner.encode_for_line(*result).kind == ops::LineKind::json, "the result is JSON");
  return "=" + std::string(result->bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) return 0;
  const std::string pipeline = pipeline_for(bytes.substr(0, end));
  // Exactly the promised padding, so that the sanitizer sees a read beyond it.
  const std::string_view body = bytes.substr(end + 1);
  std::vector<char> buffer(body.begin(), body.end());
  buffer.resize(body.size() + ops::input_padding_bytes, '\0');
  buffer.shrink_to_fit();
  const ops::Input input{.bytes = {buffer.data(), body.size()}, .media_type = "text/xml"};

  static ops::Runner used;
  ops::Runner fresh;
  check(outcome(used, pipeline, input) == outcome(fresh, pipeline, input), "bodies leave no trace");
  return 0;
}
