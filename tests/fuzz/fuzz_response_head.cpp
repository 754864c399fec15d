// links: fetchmill_wire
// Any bytes as a response head, the first byte choosing the request's method: as fuzz_request_head.
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

void check_head(std::string_view bytes, Method method, const ResponseHead& head) {
  check(head.bytes <= bytes.size(), "the head is longer than its input");
  const std::string_view own = bytes.substr(0, head.bytes);
  check(own.find("\r\n\r\n") == own.size() - 4, "the head ends at its first empty line");
  check(head.status >= 100 && head.status <= 999 && head.status != 101, "status");
  check(is_inside(head.reason, own), "the reason leaves the head");
  for (const Field& field : head.fields) {
    check(!field.name.empty() && is_inside(field.name, own), "a name leaves the head");
    check(is_inside(field.value, own), "a value leaves the head");
  }
  const bool has_no_body =
      method == Method::head || head.status < 200 || head.status == 204 || head.status == 304;
  check(has_no_body == (head.framing == Framing::none), "whether a body follows");
  check(head.framing != Framing::until_close || !head.keep_alive, "kept alive to its end");

  // Beast wants a space behind the status even when there is no reason.
  if (own.find('\r') == std::string_view("HTTP/1.1 200").size()) return;
  const std::string difference = fetchmill::support::difference_from_beast(bytes, method, head);
  check(difference.empty(), difference.c_str());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Method method = data[0] % 2 == 0 ? Method::get : Method::head;
  ++data;
  --size;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ResponseHead head;
  HeadProgress whole_progress;
  const HeadResult whole = parse_response_head(bytes, method, whole_progress, head);
  check((whole.status == HeadStatus::refused) == (whole.refusal != Refusal::none),
        "refused for no reason");
  if (whole.status == HeadStatus::complete) check_head(bytes, method, head);

  HeadProgress progress;
  ResponseHead other_head;
  HeadResult result;
  for (std::size_t arrived = 0; arrived < size && result.status == HeadStatus::incomplete;) {
    arrived = std::min(size, arrived + 1 + data[arrived] % 5);
    result = parse_response_head(bytes.substr(0, arrived), method, progress, other_head);
  }
  check(result.status == whole.status && result.refusal == whole.refusal, "pieces differ");
  if (whole.status == HeadStatus::complete) {
    check(other_head.bytes == head.bytes && other_head.framing == head.framing, "heads differ");
  }
  return 0;
}
