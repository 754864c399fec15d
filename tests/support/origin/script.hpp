// What the origin does to answer one request: a list of steps, run in order by the connection.
//
// Routes build scripts and never see a socket, so a misbehaviour is data: "send this, wait, reset".
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace fetchmill::tests::origin {

// Bodies are shared: a thousand answers in flight hold one copy.
using Bytes = std::shared_ptr<const std::string>;

inline Bytes bytes(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

struct Send {
  Bytes data;
};
struct Wait {
  std::chrono::milliseconds duration;
};
struct Reset {};  // RST: what was sent stays readable, then the client sees an error
struct Close {};  // FIN after everything sent
struct Hang {};   // nothing more, until the client closes

using Step = std::variant<Send, Wait, Reset, Close, Hang>;

// After the last step the connection reads its next request, unless the client asked to close.
using Script = std::vector<Step>;

}  // namespace fetchmill::tests::origin
