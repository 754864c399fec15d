// A blocking HTTP/1.1 client that takes nothing for granted: a response is complete and
// well-formed, or the caller learns what was wrong with it.
//
// Owner: one thread. Errors: text, empty when all is well.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace fetchmill::tests::fault {

struct Request {
  std::string method = "GET";
  std::string target;
  std::string_view media_type = {};
  std::string_view body = {};
};

struct Response {
  int status = 0;
  std::string media_type;
  std::string retry_after;
  std::string server_timing;
  std::string body;
};

// Bytes of the body as they arrive, for who wants to know when.
using Arrival = std::function<void(std::string_view)>;

class Connection {
 public:
  // `patience_seconds`: a peer silent for so long counts as never answering.
  Connection(std::uint16_t port, unsigned patience_seconds);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // May be called again while reusable(). What it says: "refused", "unanswered: …", "malformed: …".
  std::string exchange(const Request& request, Response& response, const Arrival& arrival = {});
  bool reusable() const { return reusable_; }

 private:
  std::string send(const Request& request);
  std::string read_head(Response& response);
  std::string read_body(Response& response, const Arrival& arrival);
  std::string read_chunks(Response& response, const Arrival& arrival);
  std::string take(std::uint64_t bytes, Response& response, const Arrival& arrival);
  std::string read_line(std::string& line);
  std::string fill();

  int socket_ = -1;
  std::string buffer_;
  std::uint64_t length_ = 0;
  bool chunked_ = false;
  bool reusable_ = true;
};

}  // namespace fetchmill::tests::fault
