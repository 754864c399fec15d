// links: fetchmill_ops
// Any bytes as an image: described or refused, and resized or refused, without a fault.
//
// Built with FETCHMILL_IMAGE_OPS. libvips and its codecs are Debian's, without instrumentation.
#include "workers/ops/pipeline.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

using namespace fetchmill::workers;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<char> buffer(data, data + size);
  buffer.resize(size + ops::input_padding_bytes, '\0');
  buffer.shrink_to_fit();
  const ops::Input input{.bytes = {buffer.data(), size}};
  static ops::Runner runner;
  if (!runner.run(R"([{"op":"image.info"}])", input)) return 0;
  static_cast<void>(runner.run(
      R"([{"op":"image.resize","width":16,"height":16,"fit":"cover","format":"png"}])", input));
  return 0;
}
