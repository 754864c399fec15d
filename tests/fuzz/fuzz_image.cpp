// links: fetchmill_ops
// Any bytes as an image: described or refused, and resized or refused, without a fault. Input: a
// byte that picks fit and format of the result, the image.
//
// Built with FETCHMILL_IMAGE_OPS. libvips and its codecs are Debian's, without instrumentation.
#include "workers/ops/pipeline.hpp"

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace fetchmill::workers;

constexpr std::string_view fits[] = {"inside", "cover", "contain", "fill"};
constexpr std::string_view formats[] = {"jpeg", "png", "webp", "avif"};

std::string resize_pipeline(std::size_t choice) {
  std::string pipeline = R"([{"op":"image.resize","width":16,"height":16,"fit":")";
  pipeline += fits[choice % std::size(fits)];
  pipeline += R"(","format":")";
  pipeline += formats[choice / std::size(fits) % std::size(formats)];
  return pipeline + "\"}]";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<char> buffer(data + 1, data + size);
  buffer.resize(size - 1 + ops::input_padding_bytes, '\0');
  buffer.shrink_to_fit();
  const ops::Input input{.bytes = {buffer.data(), size - 1}};
  static ops::Runner runner;
  if (!runner.run(R"([{"op":"image.info"}])", input)) return 0;
  static_cast<void>(runner.run(resize_pipeline(data[0]), input));
  return 0;
}
