#include "workers/spawner.hpp"

#include "workers/child_setup.hpp"
#include "workers/preload.hpp"
#include "workers/worker_main.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

// One message with at most one descriptor.
union DescriptorControl {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

bool send_report(int control, const SpawnReport& report, int pidfd) {
  iovec part{const_cast<SpawnReport*>(&report), sizeof report};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  DescriptorControl ancillary{};
  if (pidfd >= 0) {
    message.msg_control = ancillary.bytes;
    message.msg_controllen = sizeof ancillary.bytes;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof pidfd);
    std::memcpy(CMSG_DATA(header), &pidfd, sizeof pidfd);
  }
  return ::sendmsg(control, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof report);
}

std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(time.tv_usec);
}

// The process itself. It waits for two things: what the loop asks, and the death of a worker.
class SpawnerProcess {
 public:
  SpawnerProcess(const SharedMemory& memory, const Sandbox& sandbox, int control)
      : memory_(memory), sandbox_(sandbox), control_(control) {}

  [[noreturn]] void serve() {
    for (;;) {
      std::vector<pollfd> events{{control_, POLLIN, 0}};
      for (const Child& child : children_) events.push_back({child.pidfd.get(), POLLIN, 0});
      if (::poll(events.data(), events.size(), -1) < 0) continue;
      // From the back, so that taking one out leaves the places of the others.
      for (std::size_t i = children_.size(); i-- > 0;)
        if (events[i + 1].revents != 0) bury(i);
      if (events[0].revents != 0) answer_request();
    }
  }

 private:
  struct Child {
    pid_t pid;
    Fd pidfd;
    SpawnRequest request;
  };

  void answer_request() {
    SpawnRequest request{};
    const ssize_t got = ::recv(control_, &request, sizeof request, 0);
    if (got < 0 && errno == EINTR) return;
    // The loop closed its end or died.
    if (got != static_cast<ssize_t>(sizeof request)) end();
    SpawnReport report{};
    report.area = request.area;
    report.generation = request.generation;
    const pid_t own_pid = ::getpid();
    Fd pidfd;
    const pid_t pid = fork_with_pidfd(pidfd);
    if (pid == 0) worker_main(memory_, request.area, request.generation, own_pid, sandbox_);
    report.kind = pid > 0 ? SpawnReportKind::spawned : SpawnReportKind::not_spawned;
    report.error_number = pid > 0 ? 0 : errno;
    report.pid = pid;
    const int announced = pidfd.get();
    if (pid > 0) children_.push_back({pid, std::move(pidfd), request});
    if (!send_report(control_, report, announced)) end();
  }

  void bury(std::size_t place) {
    const Child child = std::move(children_[place]);
    children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(place));
    SpawnReport report{};
    report.kind = SpawnReportKind::died;
    report.area = child.request.area;
    report.generation = child.request.generation;
    report.pid = child.pid;
    rusage usage{};
    ::wait4(child.pid, &report.wait_status, 0, &usage);
    report.cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    report.resident_max_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
    if (!send_report(control_, report, -1)) end();
  }

  [[noreturn]] void end() {
    for (const Child& child : children_)
      ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 0);
    for (const Child& child : children_) ::waitpid(child.pid, nullptr, 0);
    ::_exit(exit_ok);
  }

  const SharedMemory& memory_;
  const Sandbox& sandbox_;
  int control_;
  std::vector<Child> children_;
};

// What a worker will need, and nothing else: in particular no way to write inputs or commands.
std::vector<int> spawner_descriptors(const SharedMemory& memory, int control) {
  std::vector<int> kept{control, memory.inputs.readable.get()};
  for (const AreaFiles& area : memory.areas)
    kept.insert(kept.end(),
                {area.commands.readable.get(), area.answers.writable.get(), area.bell.get()});
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace

pid_t fork_with_pidfd(Fd& pidfd) {
  int number = -1;
  const long pid = ::syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &number, nullptr, nullptr);
  if (pid > 0) pidfd = Fd(number);
  return static_cast<pid_t>(pid);
}

config::Result<SpawnerHandle> Spawner::start(const SharedMemory& memory, const Sandbox& sandbox) {
  const auto failed = [](const char* what) {
    return config::Error(config::ErrorCode::internal_error,
                         std::string("spawner: ") + what + ": " + std::strerror(errno));
  };
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return failed("socketpair");
  SpawnerHandle handle;
  handle.control_ = Fd(ends[0]);
  Fd theirs(ends[1]);
  const pid_t loop_pid = ::getpid();
  handle.pid_ = fork_with_pidfd(handle.pidfd_);
  if (handle.pid_ < 0) return failed("clone");
  if (handle.pid_ > 0) return handle;

  drop_capabilities();
  tie_to_parent(loop_pid);
  close_all_but(spawner_descriptors(memory, theirs.get()));
  reset_signals();
  ::prctl(PR_SET_NAME, "fm-spawner");
  empty_environment();
  preload_libraries();
  SpawnerProcess(memory, sandbox, theirs.get()).serve();
}

bool SpawnerHandle::request(const SpawnRequest& request) {
  return ::send(control_.get(), &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(sizeof request);
}

SpawnerHandle::Receive SpawnerHandle::receive(Received& into) {
  iovec part{&into.report, sizeof into.report};
  DescriptorControl ancillary{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.bytes;
  message.msg_controllen = sizeof ancillary.bytes;
  const ssize_t got = ::recvmsg(control_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Receive::nothing;
  if (got != static_cast<ssize_t>(sizeof into.report)) return Receive::closed;
  into.pidfd.reset();
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(header), sizeof number);
    into.pidfd = Fd(number);
  }
  return Receive::report;
}

void SpawnerHandle::stop() {
  if (!pidfd_) return;
  control_.reset();
  pollfd gone{pidfd_.get(), POLLIN, 0};
  if (::poll(&gone, 1, static_cast<int>(stop_time.count())) <= 0)
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  ::waitpid(pid_, nullptr, 0);
  pidfd_.reset();
}

}  // namespace fetchmill::workers
