// A client: sends random requests one after the other and judges each answer, until told to end.
#pragma once

#include "tests/fault/http.hpp"
#include "tests/fault/score.hpp"
#include "tests/fault/work.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fetchmill::tests::fault {

// What all clients share.
struct Load {
  std::uint16_t server_port = 0;
  std::uint16_t origin_port = 0;
  Milliseconds task_timeout{0};  // the server's
  Milliseconds late_max{0};      // an outcome later than that is a broken promise
  unsigned patience_seconds = 30;
  Mix mix;
  const Materials& materials;
  Score& score;
  std::atomic<bool> over{false};
};

class Client {
 public:
  Client(Load& load, std::uint64_t seed) : load_(load), random_(seed) {}

  void run();

 private:
  void process();
  void fetch();
  void batch();
  // False: nothing to judge, since it was refused or is not complete.
  bool exchange(const Request& request, Response& response, const Arrival& arrival = {});
  void judge(const Work& work, const Response& response, Clock::time_point sent);
  void judge_code(const Work& work, const std::string& code, const std::string& what);
  void judge_lines(const std::vector<Work>& works, const Response& response,
                   const std::vector<Clock::time_point>& arrivals, Clock::time_point deadline);
  void judge_late(Clock::time_point due, Clock::time_point came, const std::string& what);

  Load& load_;
  Random random_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace fetchmill::tests::fault
