#include "tests/fault/server_process.hpp"

#include "tests/fault/http.hpp"
#include "tests/fault/processes.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::tests::fault {
namespace {

constexpr std::size_t last_words_max = 20;

std::vector<std::string> serve_command(const std::string& binary,
                                       const std::map<std::string, std::string>& settings) {
  std::vector<std::string> command{binary, "serve"};
  for (const auto& [name, value] : settings) {
    command.push_back("--" + name);
    command.push_back(value);
  }
  return command;
}

}  // namespace

Child::Child(const std::vector<std::string>& command, int read_from) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    const int nowhere = ::open("/dev/null", O_RDWR);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
      ::dup2(fd == read_from ? ends[1] : nowhere, fd);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  pipe_ = ends[0];
}

Child::~Child() {
  if (!ended()) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(pipe_);
}

bool Child::read_line(std::string& line) {
  std::size_t end = 0;
  while ((end = buffer_.find('\n')) == std::string::npos) {
    std::array<char, 4096> piece;
    const ssize_t got = ::read(pipe_, piece.data(), piece.size());
    if (got <= 0) return false;
    buffer_.append(piece.data(), static_cast<std::size_t>(got));
  }
  line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return true;
}

std::optional<int> Child::ended() {
  int status = 0;
  if (!ended_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
    ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return ended_;
}

OriginProcess::OriginProcess(const std::string& binary)
    : child_({binary, "--listen", "127.0.0.1:0"}, STDOUT_FILENO) {
  std::string line;
  unsigned port = 0;
  if (!child_.read_line(line) || std::sscanf(line.c_str(), "listening http=%u", &port) != 1)
    throw std::runtime_error(binary + " does not start");
  port_ = static_cast<std::uint16_t>(port);
}

ServerProcess::ServerProcess(const std::string& binary,
                             const std::map<std::string, std::string>& settings, bool verbose)
    : child_(serve_command(binary, settings), STDERR_FILENO) {
  std::string line;
  constexpr std::string_view address = R"("address":"127.0.0.1:)";
  while (port_ == 0) {
    if (!child_.read_line(line)) throw std::runtime_error(binary + " does not start: " + line);
    if (const std::size_t place = line.find(address); place != std::string::npos)
      port_ = static_cast<std::uint16_t>(std::atoi(line.c_str() + place + address.size()));
  }
  spawner_ = children(pid()).at(0);
  reader_ = std::thread([this, verbose] { read_log(verbose); });
}

ServerProcess::~ServerProcess() {
  if (!child_.ended()) ::kill(pid(), SIGKILL);
  reader_.join();
}

void ServerProcess::read_log(bool verbose) {
  std::string line;
  while (child_.read_line(line)) {
    if (verbose) std::fprintf(stderr, "%s\n", line.c_str());
    const std::lock_guard lock(mutex_);
    last_words_.push_back(line);
    if (last_words_.size() > last_words_max) last_words_.pop_front();
  }
}

std::optional<int> ServerProcess::stop(std::chrono::seconds within) {
  ::kill(pid(), SIGTERM);
  const auto give_up = std::chrono::steady_clock::now() + within;
  while (!child_.ended() && std::chrono::steady_clock::now() < give_up) ::usleep(5000);
  return child_.ended();
}

std::string ServerProcess::get(const std::string& target) const {
  Connection connection(port_, 10);
  Response response;
  const std::string wrong = connection.exchange({.target = target}, response);
  return wrong.empty() && response.status == 200 ? std::move(response.body) : std::string();
}

double ServerProcess::metric(const std::string& line_start) const {
  const std::string scrape = "\n" + get("/metrics");
  double sum = 0;
  for (std::size_t place = 0; (place = scrape.find("\n" + line_start, place)) != std::string::npos;
       ++place) {
    const std::size_t end = scrape.find('\n', place + 1);
    const std::string line = scrape.substr(place + 1, end - place - 1);
    sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
  }
  return sum;
}

void ServerProcess::print_last_words() {
  const std::lock_guard lock(mutex_);
  for (const std::string& line : last_words_) std::printf("  log: %s\n", line.c_str());
}

bool ServerProcess::knows(const std::string& binary, const std::string& setting) {
  Child child({binary, "print-config"}, STDOUT_FILENO);
  std::string line;
  bool found = false;
  while (child.read_line(line)) found = found || line.rfind(setting + " =", 0) == 0;
  return found;
}

}  // namespace fetchmill::tests::fault
