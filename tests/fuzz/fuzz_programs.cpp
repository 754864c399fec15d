// links: fetchmill_ops_testing
// What clients write for ops to run: JSONPath queries and JSON Schemas over any document, and jq
// programs, which are only compiled: most mutations of one that ends do not. Each is run or
// refused, the same whatever was run before, with a result that is JSON.
//
// An input is a letter (q, s or j), the program, a zero byte and the document.
#include "tests/support/fuzz_check.hpp"
#include "workers/json/json_locate.hpp"
#include "workers/json/json_value_scan.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/pipeline.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sanitizer/lsan_interface.h>

using namespace fetchmill::workers;
using fetchmill::support::check;

namespace {

// Canonical, or empty when the loop would refuse it.
std::string pipeline_for(char kind, std::string_view program) {
  std::string text = kind == 'q'   ? R"([{"op":"json.query","query":)"
                     : kind == 's' ? R"([{"op":"json.validate","schema":)"
                     : kind == 'j' ? R"([{"op":"jq","program":)"
                                   : "";
  if (text.empty()) return {};
  if (kind == 's')
    text += program;
  else
    json::append_json_string(text, program);
  text += "}]";
  if (json::json_locate(text)) return {};
  auto canonical = ops::check_pipeline(text, "pipeline");
  return canonical ? std::move(*canonical) : std::string();
}

std::string outcome(ops::Runner& runner, const std::string& pipeline, const ops::Input& input) {
  const auto result = runner.run(pipeline, input);
  if (!result) return '!' + result.error().field + ' ' + result.error().detail;
  json::JsonValueScan scan;
  check(scan.feed(result->bytes) && scan.finish(), "the result is JSON");
  return '=' + std::string(result->bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), size);
  const std::string pipeline = pipeline_for(input[0], input.substr(1, std::max(end, 1UL) - 1));
  if (pipeline.empty()) return 0;
  const bool runs = input[0] != 'j';
  const std::string_view body = runs ? input.substr(std::min(end + 1, size)) : std::string_view();

  // Exactly the promised padding, so that the sanitizer sees a read beyond it.
  std::vector<char> buffer(body.begin(), body.end());
  buffer.resize(body.size() + ops::input_padding_bytes, '\0');
  buffer.shrink_to_fit();
  const ops::Input document{.bytes = {buffer.data(), body.size()},
                            .media_type = "application/json"};

  // libjq 1.6 loses what it had of some programs that it refuses.
  if (!runs) __lsan_disable();
  static ops::Runner used;
  ops::Runner fresh;
  const std::string first = outcome(used, pipeline, document);
  check(first == outcome(fresh, pipeline, document), "programs and bodies leave no trace");
  check(runs || first.starts_with('!'), "there is nothing to run it on");
  if (!runs) __lsan_enable();
  return 0;
}
