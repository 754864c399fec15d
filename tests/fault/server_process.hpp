// The real binaries as children: the server under test and the origin it fetches from.
//
// Owner: main. Lifetime: the destructor ends the process. Errors: std::runtime_error when one does
// not start.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace fetchmill::tests::fault {

class Child {
 public:
  // `read_from`: STDOUT_FILENO or STDERR_FILENO, which read() then gives; the other is dropped.
  Child(const std::vector<std::string>& command, int read_from);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  // False: it closed its end.
  bool read_line(std::string& line);
  // The exit code, minus the signal's number; nothing when it still runs.
  std::optional<int> ended();

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
  std::string buffer_;
  std::optional<int> ended_;
};

class OriginProcess {
 public:
  explicit OriginProcess(const std::string& binary);
  std::uint16_t port() const { return port_; }

 private:
  Child child_;
  std::uint16_t port_ = 0;
};

class ServerProcess {
 public:
  ServerProcess(const std::string& binary, const std::map<std::string, std::string>& settings,
                bool verbose);
  ~ServerProcess();

  pid_t pid() const { return child_.pid(); }
  pid_t spawner() const { return spawner_; }
  std::uint16_t port() const { return port_; }
  std::optional<int> ended() { return child_.ended(); }
  // SIGTERM, and what ended() then says within that time.
  std::optional<int> stop(std::chrono::seconds within);

  // GET: the body; empty when there is no 200.
  std::string get(const std::string& target) const;
  // The sum of the series whose line begins so, of a scrape.
  double metric(const std::string& line_start) const;
  void print_last_words();

  // Whether the binary knows this setting.
  static bool knows(const std::string& binary, const std::string& setting);

 private:
  void read_log(bool verbose);

  Child child_;
  pid_t spawner_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::deque<std::string> last_words_;
  std::thread reader_;
};

}  // namespace fetchmill::tests::fault
