// What the op tests speak: run a pipeline over a body as a worker would, and read the answer.
#pragma once

#include "workers/ops/pipeline.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::workers::ops {

// A body in a buffer of exactly the promised padding, so that a sanitizer sees reads beyond it.
class PaddedBody {
 public:
  explicit PaddedBody(std::string_view text)
      : size_(text.size()), bytes_(text.begin(), text.end()) {
    bytes_.resize(size_ + input_padding_bytes, '\0');
    bytes_.shrink_to_fit();
  }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::size_t size_;
  std::vector<char> bytes_;
};

struct Answer {
  std::string bytes;  // "CODE field: detail" of an error
  std::string media_type;
};

inline Answer run_with(Runner& runner, std::string_view pipeline, std::string_view body,
                       std::string_view media_type = "application/json") {
  const PaddedBody padded(body);
  const auto result = runner.run(pipeline, {.bytes = padded.view(), .media_type = media_type});
  if (result) return {std::string(result->bytes), std::string(result->media_type)};
  const config::Error& error = result.error();
  return {std::string(config::info(error.code).name) + " " + error.field + ": " + error.detail, ""};
}

inline Answer run_pipeline(std::string_view pipeline, std::string_view body,
                           std::string_view media_type = "application/json") {
  Runner runner;
  return run_with(runner, pipeline, body, media_type);
}

inline std::string run(std::string_view pipeline, std::string_view body,
                       std::string_view media_type = "application/json") {
  return run_pipeline(pipeline, body, media_type).bytes;
}

// A folder of the public conformance data, or nothing when FETCHMILL_CORPORA is not set.
inline std::optional<std::filesystem::path> corpus(std::string_view folder) {
  const char* root = std::getenv("FETCHMILL_CORPORA");
  if (root == nullptr) return std::nullopt;
  return std::filesystem::path(root) / folder;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace fetchmill::workers::ops
