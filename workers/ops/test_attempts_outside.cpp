#include "workers/ops/test_attempts.hpp"

#include <array>
#include <cstdint>
#include <cstdio>

#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

namespace fetchmill::workers::ops {
namespace {

bool open_path(const char* path, int flags) {
  return opened(::open(path, flags | O_CLOEXEC, 0600));
}
bool open_path(const char* format, int number, int flags) {
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), format, number);
  return open_path(path.data(), flags);
}

bool open_socket(int family, int type) {
  return opened(::socket(family, type | SOCK_CLOEXEC, 0));
}
template <class Use>
bool with_socket(int type, Use use) {
  const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool success = use(fd, address);
  ::close(fd);
  return success;
}
const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

bool set_flags_of_bell(int bell) {
  const int flags = ::fcntl(bell, F_GETFL);
  return flags >= 0 && done(::fcntl(bell, F_SETFL, flags));
}

bool write_elsewhere(int bell) {
  for (int fd = 0; fd <= 20; ++fd)
    if (fd != bell && fd != STDERR_FILENO && ::write(fd, "", 1) >= 0) return true;
  return false;
}

// ---- The attempts

constexpr Attempt attempts[] = {
    {"open_passwd", [](const Target&) { return open_path("/etc/passwd", O_RDONLY); }},
    {"open_root", [](const Target&) { return open_path("/", O_RDONLY | O_DIRECTORY); }},
    {"open_path_only", [](const Target&) { return open_path("/", O_PATH); }},
    {"open_null_to_write", [](const Target&) { return open_path("/dev/null", O_WRONLY); }},
    {"open_unnamed_file", [](const Target&) { return open_path("/tmp", O_RDWR | O_TMPFILE); }},
    {"create_file",
     [](const Target&) {
       return open_path("/tmp/fetchmill-attack-file", O_CREAT | O_WRONLY) &&
              ::unlink("/tmp/fetchmill-attack-file") == 0;
     }},
    {"openat2",
     [](const Target&) {
       open_how how{};
       how.flags = O_RDONLY | O_CLOEXEC;
       return opened(::syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof how));
     }},
    {"stat",
     [](const Target&) {
       struct stat status;
       return done(::stat("/", &status));
     }},
    {"read_link",
     [](const Target&) {
       char path[256];
       return done(::readlink("/proc/self/exe", path, sizeof path));
     }},
    {"make_directory",
     [](const Target&) {
       return ::mkdir("/tmp/fetchmill-attack-dir", 0700) == 0 &&
              ::rmdir("/tmp/fetchmill-attack-dir") == 0;
     }},
    {"change_directory", [](const Target&) { return done(::chdir("/")); }},
    {"change_root", [](const Target&) { return done(::chroot("/")); }},
    {"watch_files", [](const Target&) { return opened(::inotify_init1(IN_CLOEXEC)); }},
    {"own_memory_file", [](const Target&) { return open_path("/proc/self/mem", O_RDWR); }},
    {"own_maps_file", [](const Target&) { return open_path("/proc/self/maps", O_RDONLY); }},
    {"map_files", [](const Target&) { return open_path("/proc/self/map_files", O_RDONLY); }},
    {"reopen_bell",
     [](const Target& target) { return open_path("/proc/self/fd/%d", target.bell, O_RDWR); }},
    {"loop_status",
     [](const Target& target) { return open_path("/proc/%d/status", target.loop, O_RDONLY); }},
    {"loop_memory",
     [](const Target& target) { return open_path("/proc/%d/mem", target.loop, O_RDWR); }},
    {"loop_descriptors",
     [](const Target& target) { return open_path("/proc/%d/fd", target.loop, O_RDONLY); }},
    {"spawner_memory",
     [](const Target& target) { return open_path("/proc/%d/mem", target.spawner, O_RDWR); }},
    {"set_bell_flags", [](const Target& target) { return set_flags_of_bell(target.bell); }},
    {"set_bell_owner",
     [](const Target& target) { return done(::fcntl(target.bell, F_SETOWN, target.loop)); }},
    {"duplicate_bell_by_fcntl",
     [](const Target& target) { return opened(::fcntl(target.bell, F_DUPFD_CLOEXEC, 0)); }},
    {"duplicate_bell", [](const Target& target) { return opened(::dup(target.bell)); }},
    {"ioctl_bell",
     [](const Target& target) {
       int on = 1;
       return done(::ioctl(target.bell, FIONBIO, &on));
     }},
    {"read_bell",
     [](const Target& target) {
       std::uint64_t count = 0;
       const iovec into{&count, sizeof count};
       return looked_at(::preadv2(target.bell, &into, 1, -1, RWF_NOWAIT));
     }},
    {"write_elsewhere", [](const Target& target) { return write_elsewhere(target.bell); }},
    {"pipe",
     [](const Target&) {
       int ends[2];
       return ::pipe2(ends, O_CLOEXEC) == 0 && opened(ends[0]) && opened(ends[1]);
     }},
    {"eventfd", [](const Target&) { return opened(::eventfd(0, EFD_CLOEXEC)); }},
    {"epoll", [](const Target&) { return opened(::epoll_create1(EPOLL_CLOEXEC)); }},
    {"timerfd",
     [](const Target&) { return opened(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)); }},
    {"socket_inet", [](const Target&) { return open_socket(AF_INET, SOCK_STREAM); }},
    {"socket_inet6", [](const Target&) { return open_socket(AF_INET6, SOCK_STREAM); }},
    {"socket_unix", [](const Target&) { return open_socket(AF_UNIX, SOCK_STREAM); }},
    {"socket_netlink", [](const Target&) { return open_socket(AF_NETLINK, SOCK_RAW); }},
    {"socket_packet", [](const Target&) { return open_socket(AF_PACKET, SOCK_RAW); }},
    {"socket_alg", [](const Target&) { return open_socket(AF_ALG, SOCK_SEQPACKET); }},
    {"socket_pair",
     [](const Target&) {
       int ends[2];
       return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 && opened(ends[0]) &&
              opened(ends[1]);
     }},
    {"connect",
     [](const Target&) {
       return with_socket(SOCK_STREAM, [](int fd, sockaddr_in address) {
         address.sin_port = htons(9);
         return looked_at(::connect(fd, generic(address), sizeof address));
       });
     }},
    {"bind",
     [](const Target&) {
       return with_socket(SOCK_STREAM, [](int fd, const sockaddr_in& address) {
         return done(::bind(fd, generic(address), sizeof address)) && done(::listen(fd, 1));
       });
     }},
    {"send_datagram",
     [](const Target&) {
       return with_socket(SOCK_DGRAM, [](int fd, sockaddr_in address) {
         address.sin_port = htons(9);
         return done(::sendto(fd, "x", 1, 0, generic(address), sizeof address));
       });
     }},
    {"send_through_bell",
     [](const Target& target) { return looked_at(::send(target.bell, "x", 1, MSG_DONTWAIT)); }},
};

}  // namespace

std::span<const Attempt> attempts_outside() {
  return attempts;
}

}  // namespace fetchmill::workers::ops
