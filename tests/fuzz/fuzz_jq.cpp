// links: fetchmill_ops_testing
// Any bytes as the body of jq programs that end: they answer or refuse, and an answer is JSON.
// Programs are not made by the fuzzer: most mutations of one that ends do not. The first byte picks
// the program.
#include "workers/json/json_value_scan.hpp"
#include "workers/ops/pipeline.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

using namespace fetchmill::workers;

constexpr std::string_view pipelines[] = {
    R"-([{"op":"jq","program":"."}])-",
    R"-([{"op":"jq","program":".[]?, tojson, (.. | scalars)"}])-",
    R"-([{"op":"jq","program":"[paths] | group_by(length)"
}])-",
    R"-([{"op":"jq","program":"(.a.b, error) | keys"}])-",
    R"-([{"op":"jq","program":"tostream"}])-",
    R"-([{"op":"jq","program":"map(test(\"^a+\")) | sort, halt_error"}])-",
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<char> buffer(data + 1, data + size);
  buffer.resize(size - 1 + ops::input_padding_bytes, '\0');
  buffer.shrink_to_fit();
  static ops::Runner runner;
  const auto result =
      runner.run(pipelines[data[0] % std::size(pipelines)],
                 {.bytes = {buffer.data(), size - 1}, .media_type = "application/json"});
  if (!result) return 0;
  json::JsonValueScan scan;
  if (!scan.feed(result->bytes) || !scan.finish()) std::abort();
  return 0;
}
