// An op py.NAME and its step.
#pragma once

#include "workers/ops/op.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::workers::python {

// An op with the texts that it is described by. Lifetime: the process; it stays where it is.
struct PythonOp : ops::Op {
  std::string module;  // NAME
  std::string op_name;
  std::string summary_text;
  std::string output_type;
  std::deque<std::string> texts;                      // of the parameters
  std::deque<std::vector<std::string_view>> choices;  // likewise
  std::vector<ops::ParamSpec> rows;
};

// Op::compile of a PythonOp.
config::Result<std::unique_ptr<ops::Step>> compile(const ops::Op& self, const ops::Params& params);

}  // namespace fetchmill::workers::python
