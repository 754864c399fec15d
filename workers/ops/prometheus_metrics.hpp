// What prometheus.format is asked to make: its parameter `metrics`, read and checked.
//
// Process: loop, to check it; worker, when a pipeline is compiled. Cheap and pure.
// Errors: invalid_request, with the field: "metrics[2].labels.path".
// Trust: the text comes from a client.
#pragma once

#include "config/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::workers::ops {

struct LabelSpec {
  enum class From : std::uint8_t { constant, pointer, key };

  std::string name;
  From from = From::constant;
  std::string text;  // the constant or the pointer
};

// One entry of `metrics`: where some of a family's samples come from.
struct SampleSpec {
  std::size_t index = 0;             // of the entry, for messages
  std::optional<std::string> items;  // pointer to what is walked; nothing: the document is the item
  std::string value;                 // pointer inside each item
  std::vector<LabelSpec> labels;     // by name, so that equal label sets read the same
};

// The entries of one name, in the order the names first appear.
struct FamilySpec {
  std::string name;
  std::string type;
  std::string help;
  std::vector<SampleSpec> samples;
};

config::Result<std::vector<FamilySpec>> read_metric_families(std::string_view json);

}  // namespace fetchmill::workers::ops
