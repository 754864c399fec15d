// Tasks whose only right end is known before they are sent.
#pragma once

#include "tests/fault/processes.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::tests::fault {

// How a task must end.
enum class Ends : std::uint8_t { exactly, crashed, timed_out, out_of_memory };

struct Work {
  Ends ends = Ends::exactly;
  std::string op;          // the pipeline's only step
  std::string parameters;  // ,"name":value…
  std::string query;       // &name=value…
  std::string target;      // where the origin has the body, for a fetch
  std::string right;       // the result
  std::string own_body;
  const std::string* page = nullptr;  // of the Materials, instead of an own body

  const std::string& body() const { return page != nullptr ? *page : own_body; }
  std::string step() const { return R"({"op":")" + op + "\"" + parameters + "}"; }
};

// Bytes that are the same for the whole run, made once.
class Materials {
 public:
  // Asks the origin for what it serves.
  explicit Materials(std::uint16_t origin_port);

  struct Page {
    std::string target;
    std::string body;
    std::string sha256;
  };
  const Page& page(Random& random) const { return pages_[random() % pages_.size()]; }
  const Page& array(Random& random) const { return arrays_[random() % arrays_.size()]; }
  std::string_view text() const { return text_; }

 private:
  std::vector<Page> pages_;   // plain bytes
  std::vector<Page> arrays_;  // of `records` objects with an id
  std::string text_;
};

// What a task may be: those that end badly are rare, since each costs the server up to two workers.
struct Mix {
  bool memory_limit = false;  // the server has one
};

// A body of the client's own, for /v1/process.
Work make_process_work(Random& random, const Materials& materials, const Mix& mix);
// A body of the origin's.
Work make_fetch_work(Random& random, const Materials& materials, const Mix& mix);

std::string sha256(std::string_view bytes);

}  // namespace fetchmill::tests::fault
