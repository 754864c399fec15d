#include "workers/spawner.hpp"

#include "workers/child_setup.hpp"
#include "workers/layout.hpp"
#include "workers/ops/registry.hpp"
#include "workers/preload.hpp"
#include "workers/wait_for_end.hpp"
#include "workers/worker_main.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

constexpr int send_attempts = 20;

// A worker's pidfd and its status file travel together, or no descriptor at all.
using Descriptors = std::array<int, 2>;
union DescriptorControl {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(Descriptors))];
};

bool send_report(int control, const SpawnReport& report, const Descriptors* descriptors) {
  iovec part{const_cast<SpawnReport*>(&report), sizeof report};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  DescriptorControl ancillary{};
  if (descriptors != nullptr) {
    message.msg_control = ancillary.bytes;
    message.msg_controllen = sizeof ancillary.bytes;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof *descriptors);
    std::memcpy(CMSG_DATA(header), descriptors, sizeof *descriptors);
  }
  // Memory for a message may be short for a moment; a report that is lost would be a worker lost.
  for (int attempt = 0; attempt < send_attempts; ++attempt) {
    if (::sendmsg(control, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof report))
      return true;
    if (errno == EPIPE || errno == ECONNRESET) return false;
    ::poll(nullptr, 0, attempt);
  }
  return false;
}

std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(time.tv_usec);
}

// The process itself. It waits for two things: what the loop asks, and what happens to a worker.
class SpawnerProcess {
 public:
  SpawnerProcess(const SharedMemory& memory, const Sandbox& sandbox, int control, Fd child_events)
      : memory_(memory),
        sandbox_(sandbox),
        control_(control),
        child_events_(std::move(child_events)) {}

  [[noreturn]] void serve() {
    pollfd events[2] = {{control_, POLLIN, 0}, {child_events_.get(), POLLIN, 0}};
    for (;;) {
      if (::poll(events, 2, -1) < 0) continue;
      if (events[1].revents != 0) look_after_children();
      if (events[0].revents != 0) answer_request();
    }
  }

 private:
  struct Child {
    pid_t pid;
    Fd pidfd;
    SpawnRequest request;
    bool stopped = false;
  };

  void answer_request() {
    SpawnRequest request{};
    const ssize_t got = ::recv(control_, &request, sizeof request, 0);
    if (got < 0 && errno == EINTR) return;
    // The loop closed its end or died.
    if (got != static_cast<ssize_t>(sizeof request)) end();
    if (request.kind == SpawnRequestKind::spawn) return spawn(request);
    if (request.kind == SpawnRequestKind::give_back) return give_back(request.area);
    for (const Child& child : children_)
      if (child.request.area == request.area && child.request.generation == request.generation)
        kill(child.pidfd);
  }

  void spawn(const SpawnRequest& request) {
    SpawnReport report{};
    report.area = request.area;
    report.generation = request.generation;
    const pid_t own_pid = ::getpid();
    Fd pidfd;
    const pid_t pid = forget_last_worker(request.area) ? fork_with_pidfd(pidfd) : -1;
    if (pid == 0) worker_main(memory_, request.area, request.generation, own_pid, sandbox_);
    const Fd status = pid > 0 ? open_status(pid) : Fd();
    report.kind = status ? SpawnReportKind::spawned : SpawnReportKind::not_spawned;
    report.error_number = status ? 0 : errno;
    report.pid = pid;
    if (pid > 0 && !status) {
      // What cannot be watched must not run.
      kill(pidfd);
      wait_for_end(pid);
    }
    const Descriptors descriptors{pidfd.get(), status.get()};
    if (status) children_.push_back({pid, std::move(pidfd), request});
    if (!send_report(control_, report, status ? &descriptors : nullptr)) end();
  }

  // The words that one left behind could pass for its successor's: that it is ready, that it
  // sleeps, that it answered. The loop looks at them only once it has the successor's pidfd.
  bool forget_last_worker(std::uint32_t area) {
    constexpr std::array<char, offsetof(WorkerPage, answers)> nothing{};
    return ::pwrite(memory_.areas[area].answers.writable.get(), nothing.data(), nothing.size(),
                    0) == static_cast<ssize_t>(nothing.size());
  }

  // By the spawner, since the loop cannot write to answers and no worker is there. Requests come in
  // order, so the area's next worker does not run yet. What the last one answered was copied.
  void give_back(std::uint32_t area) {
    const SharedFile& answers = memory_.areas[area].answers;
    // Failing, the pages stay until they are used again.
    [[maybe_unused]] const int done =
        ::fallocate(answers.writable.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    small_outputs_offset, static_cast<off_t>(answers.bytes - small_outputs_offset));
  }

  // Until it is waited for, the pid is the child's.
  static Fd open_status(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/status";
    return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }

  static bool kill(const Fd& pidfd) {
    return ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) == 0;
  }

  void look_after_children() {
    // Several signals may have become one: what counts is what wait4 says.
    signalfd_siginfo news;
    [[maybe_unused]] const ssize_t got = ::read(child_events_.get(), &news, sizeof news);
    for (;;) {
      int status = 0;
      rusage usage{};
      const pid_t pid = ::wait4(-1, &status, WNOHANG | WUNTRACED, &usage);
      if (pid <= 0) return;
      const auto child = std::find_if(children_.begin(), children_.end(),
                                      [&](const Child& c) { return c.pid == pid; });
      if (child == children_.end()) continue;
      if (WIFSTOPPED(status)) {
        child->stopped = true;
        kill(child->pidfd);
        continue;
      }
      report_death(*child, status, usage);
      children_.erase(child);
    }
  }

  void report_death(const Child& child, int status, const rusage& usage) {
    SpawnReport report{};
    report.kind = SpawnReportKind::died;
    report.area = child.request.area;
    report.generation = child.request.generation;
    report.pid = child.pid;
    report.wait_status = status;
    report.stopped = child.stopped ? 1 : 0;
    report.cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    report.resident_max_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
    if (!send_report(control_, report, nullptr)) end();
  }

  [[noreturn]] void end() {
    // Waiting for one that could not be killed would keep the loop waiting too; PDEATHSIG is behind
    // it.
    for (const Child& child : children_)
      if (kill(child.pidfd)) wait_for_end(child.pid);
    ::_exit(exit_ok);
  }

  const SharedMemory& memory_;
  const Sandbox& sandbox_;
  int control_;
  Fd child_events_;
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
  sigset_t child_signal;
  sigemptyset(&child_signal);
  sigaddset(&child_signal, SIGCHLD);
  Fd child_events;
  if (::sigprocmask(SIG_BLOCK, &child_signal, nullptr) == 0)
    child_events = Fd(::signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!child_events) ::_exit(exit_setup_failed);
  empty_environment();
  preload_libraries();
  for (const ops::Op* op : ops::all_ops())
    if (op->preload != nullptr) op->preload();
  SpawnerProcess(memory, sandbox, theirs.get(), std::move(child_events)).serve();
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
  into.status.reset();
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    Descriptors descriptors{-1, -1};
    // Without free descriptors the kernel delivers fewer.
    std::memcpy(&descriptors, CMSG_DATA(header),
                std::min(header->cmsg_len - CMSG_LEN(0), sizeof descriptors));
    into.pidfd = Fd(descriptors[0]);
    into.status = Fd(descriptors[1]);
  }
  return Receive::report;
}

void SpawnerHandle::stop() {
  if (!pidfd_) return;
  control_.reset();
  pollfd gone{pidfd_.get(), POLLIN, 0};
  if (::poll(&gone, 1, static_cast<int>(stop_time.count())) <= 0)
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  wait_for_end(pid_);
  pidfd_.reset();
}

}  // namespace fetchmill::workers
