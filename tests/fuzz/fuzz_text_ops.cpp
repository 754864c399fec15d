// links: fetchmill_ops_testing
// The ops that read CSV, text and compressed bytes, over any body: each answers or refuses, what
// says that it is JSON is JSON, and what has a way back comes back. Input: a byte that picks the
// pipeline, the body; for text.match the pattern in between, up to a zero byte.
#include "workers/json/json_validator.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/pipeline.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace fetchmill::workers;

constexpr std::string_view pipelines[] = {
    R"([{"op":"csv.to_json"}])",
    R"([{"op":"csv.to_json","header":false,"delimiter":";"}])",
    R"([{"op":"csv.aggregate","header":false,"value":"1","group_by":"2","stats":["sum","stddev"]}])",
    R"([{"op":"csv.to_json","charset":"shift_jis"}])",
    R"([{"op":"text.stats"}])",
    R"([{"op":"text.decode","charset":"gb18030"},{"op":"text.stats"}])",
    R"([{"op":"decompress"}])",
    R"([{"op":"decompress","codec":"zstd"}])",
    R"([{"op":"decompress","codec":"br"}])",
    R"([{"op":"base64","decode":true}])",
    R"([{"op":"prometheus.format","metrics":[{"name":"a","items":"","value":"/v","labels":{"k":"$key","l":"/l"}}]}])",
};
constexpr std::string_view ways_there_and_back[] = {
    R"([{"op":"compress"},{"op":"decompress"}])",
    R"([{"op":"compress","codec":"zstd"},{"op":"decompress","codec":"zstd"}])",
    R"([{"op":"compress","codec":"br"},{"op":"decompress","codec":"br"}])",
    R"([{"op":"base64"},{"op":"base64","decode":true}])",
};

// Takes the pattern off the body.
std::string match_pipeline(std::string_view& body) {
  std::string pipeline = R"([{"op":"text.match","pattern":)";
  const std::string_view pattern = body.substr(0, body.find('\0'));
  body.remove_prefix(std::min(body.size(), pattern.size() + 1));
  json::append_json_string(pipeline, pattern);
  return pipeline + "}]";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view body(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t choice = data[0] % (std::size(pipelines) + std::size(ways_there_and_back) + 1);
  const bool comes_back = choice >= std::size(pipelines) &&
                          choice < std::size(pipelines) + std::size(ways_there_and_back);
  std::string pipeline;
  if (comes_back)
    pipeline = ways_there_and_back[choice - std::size(pipelines)];
  else if (choice < std::size(pipelines))
    pipeline = pipelines[choice];
  else
    pipeline = match_pipeline(body);

  // Exactly the promised padding, so that the sanitizer sees a read beyond it.
  std::vector<char> buffer(body.begin(), body.end());
  buffer.resize(body.size() + ops::input_padding_bytes, '\0');
  buffer.shrink_to_fit();
  static ops::Runner runner;
  const auto result = runner.run(pipeline, {.bytes = {buffer.data(), body.size()}});
  if (comes_back && (!result || result->bytes != body)) std::abort();
  if (!result || result->media_type != "application/json") return 0;
  json::JsonValidator validator;
  if (!validator.is_valid(result->bytes)) std::abort();
  return 0;
}
