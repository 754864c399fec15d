// links: fetchmill_ops_testing
// A pipeline and a body of any bytes: the Runner answers or refuses, and what it makes of an answer
// for a batch line passes the loop's own scan. Input: the pipeline's text, a zero byte, a byte that
// picks the media type, the body.
#include "workers/json/json_locate.hpp"
#include "workers/json/json_value_scan.hpp"
#include "workers/ops/pipeline.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace fetchmill::workers;

constexpr std::string_view media_types[] = {"application/json", "", "text/plain", "image/png",
                                            "application/x-ndjson"};

// Whether it holds a cpu.loop of more than 99,999 iterations, for which there is no time.
bool loops_for_long(std::string_view canonical) {
  constexpr std::string_view loop = R"("cpu.loop","iterations":)";
  constexpr std::size_t digits_max = 5;
  for (std::size_t at = canonical.find(loop); at != std::string_view::npos;
       at = canonical.find(loop, at)) {
    at += loop.size();
    if (canonical.find_first_not_of("0123456789", at) > at + digits_max) return true;
  }
  return false;
}

// The canonical text, unless it holds an op that is there to die, to burn time or to be not pure.
std::string checked(std::string_view text) {
  if (json::json_locate(text)) return {};
  auto canonical = ops::check_pipeline(text, "pipeline");
  if (!canonical) return {};
  for (const std::string_view op :
       {"\"crash\"", "\"spin_forever\"", "\"balloon\"", "\"jq\"", "\"count_compiles\""})
    if (canonical->find(op) != std::string::npos) return {};
  if (loops_for_long(*canonical)) return {};
  return std::move(*canonical);
}

void require_good_line(ops::Runner& runner, const ops::RunResult& result) {
  const ops::LineValue line = runner.encode_for_line(result);
  json::JsonValueScan scan;
  if (!scan.feed(line.bytes) || !scan.finish()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find('\0');
  if (end == std::string_view::npos || end + 2 > size) return 0;
  const std::string_view pipeline_text = input.substr(0, end);
  const std::size_t choice = static_cast<unsigned char>(input[end + 1]) % std::size(media_types);
  const std::string_view body = input.substr(end + 2);

  // Exactly the promised padding, so that the sanitizer sees a read beyond it.
  std::vector<char> buffer(body.begin(), body.end());
  buffer.resize(body.size() + ops::input_padding_bytes, '\0');
  buffer.shrink_to_fit();
  const ops::Input padded{.bytes = {buffer.data(), body.size()}, .media_type = media_types[choice]};

  static ops::Runner runner;
  require_good_line(runner, {padded.bytes, padded.media_type});
  const std::string pipeline = checked(pipeline_text);
  if (pipeline.empty()) return 0;
  const auto first = runner.run(pipeline, padded);
  if (!first) return 0;
  require_good_line(runner, *first);

  // Ops are pure: a runner that has seen nothing answers the same.
  const std::string bytes(first->bytes);
  ops::Runner fresh;
  const auto second = fresh.run(pipeline, padded);
  if (!second || second->bytes != bytes) std::abort();
  return 0;
}
