// links: fetchmill_wire
// Any bytes as a request head: no fault, views inside the input, one answer whatever the pieces,
// and nothing accepted that Boost.Beast reads otherwise.
#include "server/wire/head.hpp"
#include "tests/support/beast_heads.hpp"
#include "tests/support/fuzz_check.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

using namespace fetchmill::server::wire;
using fetchmill::support::check;
using fetchmill::support::is_inside;

namespace {

void check_head(std::string_view bytes, const RequestHead& head) {
  check(head.bytes <= bytes.size(), "the head is longer than its input");
  const std::string_view own = bytes.substr(0, head.bytes);
  check(own.ends_with("\r\n\r\n"), "the head ends in an empty line");
  check(own.find("\r\n\r\n") == own.size() - 4, "the head ends at its first empty line");
  for (const auto view : {head.method_text, head.target, head.target_text, head.host}) {
    check(!view.empty() && is_inside(view, own), "a view leaves the head");
  }
  check(head.fields.size() <= fields_capacity, "too many fields");
  for (const Field& field : head.fields) {
    check(!field.name.empty() && is_inside(field.name, own), "a name leaves the head");
    check(is_inside(field.value, own), "a value leaves the head");
  }
  check(head.framing != Framing::until_close, "a request never ends with its connection");
  const std::string difference = fetchmill::support::difference_from_beast(bytes, head);
  check(difference.empty(), difference.c_str());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  RequestHead head;
  HeadProgress whole_progress;
  const HeadResult whole = parse_request_head(bytes, whole_progress, head);
  check((whole.status == HeadStatus::refused) == (whole.refusal != Refusal::none),
        "refused for no reason");
  if (whole.status == HeadStatus::complete) check_head(bytes, head);

  // The pieces grow and shrink with the input's own bytes.
  HeadProgress progress;
  RequestHead other_head;
  HeadResult result;
  for (std::size_t arrived = 0; arrived < size && result.status == HeadStatus::incomplete;) {
    arrived = std::min(size, arrived + 1 + data[arrived] % 5);
    result = parse_request_head(bytes.substr(0, arrived), progress, other_head);
  }
  check(result.status == whole.status && result.refusal == whole.refusal, "pieces differ");
  if (whole.status == HeadStatus::complete) {
    check(other_head.bytes == head.bytes && other_head.target == head.target, "heads differ");
  }
  return 0;
}
