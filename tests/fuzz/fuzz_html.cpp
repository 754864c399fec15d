// links: fetchmill_ops_testing
// A selector and a page of any bytes: every op on pages answers or refuses, and what it makes for a
// batch line passes the loop's own scan. Input: the selector, a zero byte, the page.
#include "workers/json/json_value_scan.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/css_selector.hpp"
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

void run(ops::Runner& runner, const std::string& pipeline, const ops::Input& page) {
  const auto result = runner.run(pipeline, page);
  if (!result) return;
  const ops::LineValue line = runner.encode_for_line(*result);
  json::JsonValueScan scan;
  if (!scan.feed(line.bytes) || !scan.finish()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), size);
  const std::string_view selector = input.substr(0, end);
  const std::string_view body = input.substr(std::min(end + 1, size));

  // Exactly the promised padding, so that the sanitizer sees a read beyond it.
  std::vector<char> buffer(body.begin(), body.end());
  buffer.resize(body.size() + ops::input_padding_bytes, '\0');
  buffer.shrink_to_fit();
  const ops::Input page{.bytes = {buffer.data(), body.size()},
                        .media_type = "text/html",
                        .final_url = "https://a.example/dir/page"};

  static ops::Runner runner;
  for (const char* op : {"html.text", "html.markdown", "html.links"})
    for (const char* main_content : {"true", "false"})
      run(runner, std::string(R"([{"op":")") + op + R"(","main_content":)" + main_content + "}]",
          page);
  run(runner, R"([{"op":"html.meta"}])", page);
  if (!ops::parse_selector(selector)) return 0;
  for (const char* output : {"text", "html", "inner_html", "attribute:href"}) {
    std::string pipeline = R"([{"op":"html.select","selector":)";
    json::append_json_string(pipeline, selector);
    run(runner, pipeline + R"(,"output":")" + output + "\"}]", page);
  }
  return 0;
}
