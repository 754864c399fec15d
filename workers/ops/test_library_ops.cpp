// library_work: what honest libraries do inside a worker, which must work or fail softly. A release
// build does not contain this file.
#include "workers/ops/op.hpp"

#include <atomic>
#include <clocale>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <future>
#include <random>
#include <stdexcept>
#include <thread>

#include <iconv.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace fetchmill::workers::ops {
namespace {

using config::Result;

// 2024-01-15 12:00 UTC: the zone's winter offset, in seconds.
std::string local_offset() {
  const std::time_t noon = 1705320000;
  std::tm reentrant{};
  ::localtime_r(&noon, &reentrant);
  const std::tm* other = std::localtime(&noon);
  if (other->tm_gmtoff != reentrant.tm_gmtoff) return "localtime and localtime_r differ";
  return "offset " + std::to_string(reentrant.tm_gmtoff);
}

std::string converted(const char* charset, std::string_view text) {
  const iconv_t converter = ::iconv_open("UTF-8", charset);
  if (reinterpret_cast<std::intptr_t>(converter) == -1) return "iconv_open fails";
  char out[64];
  char* to = out;
  char* from = const_cast<char*>(text.data());
  std::size_t from_left = text.size();
  std::size_t to_left = sizeof out;
  const std::size_t result = ::iconv(converter, &from, &from_left, &to, &to_left);
  ::iconv_close(converter);
  return result == static_cast<std::size_t>(-1) ? "iconv fails" : std::string(out, to);
}

std::string charsets() {
  struct Case {
    const char* charset;
    std::string_view text;
    std::string_view utf8;
  };
  constexpr Case cases[] = {
      {"ISO-8859-1", "\xe9", "é"},
      {"ISO-8859-15", "\xa4", "€"},
      {"WINDOWS-1252", "\x80", "€"},
      {"WINDOWS-1251", "\xc6", "Ж"},
      {"KOI8-R", "\xf6", "Ж"},
      {"SHIFT_JIS", "\x93\xfa", "日"},
      {"EUC-JP", "\xc6\xfc", "日"},
      {"GBK", "\xc8\xd5", "日"},
      {"GB18030", "\xc8\xd5", "日"},
      {"BIG5", "\xa4\xe9", "日"},
      {"EUC-KR", "\xb0\xa1", "가"},
      {"UTF-16LE", std::string_view("\xe9\0", 2), "é"},
      {"UTF-16", std::string_view("\xfe\xff\0\xe9", 4), "é"},
  };
  for (const Case& c : cases)
    if (const std::string got = converted(c.charset, c.text); got != c.utf8)
      return std::string(c.charset) + ": " + got;
  return "ok";
}

std::string thread_pool() {
  std::atomic<int> sum = 0;
  std::vector<std::thread> threads;
  for (int i = 1; i <= 4; ++i) threads.emplace_back([&sum, i] { sum += i; });
  for (std::thread& thread : threads) thread.join();
  return sum == 10 ? "ok" : "a thread is missing";
}

std::string exception_across_threads() {
  std::future<int> result =
      std::async(std::launch::async, []() -> int { throw std::runtime_error("thrown"); });
  try {
    result.get();
  } catch (const std::runtime_error& error) {
    return error.what() == std::string_view("thrown") ? "ok" : "another exception";
  }
  return "no exception";
}

std::string thread_exit() {
  pthread_t thread;
  const auto leave = [](void*) -> void* { ::pthread_exit(nullptr); };
  if (::pthread_create(&thread, nullptr, leave, nullptr) != 0) return "pthread_create fails";
  return ::pthread_join(thread, nullptr) == 0 ? "ok" : "pthread_join fails";
}

std::string allocations() {
  constexpr std::size_t bytes = std::size_t{32} << 20U;
  char* block = static_cast<char*>(std::malloc(bytes));
  if (block == nullptr) return "malloc fails";
  block[bytes - 1] = 'x';
  char* larger = static_cast<char*>(std::realloc(block, 2 * bytes));
  if (larger == nullptr) {
    std::free(block);
    return "realloc fails";
  }
  const bool kept = larger[bytes - 1] == 'x';
  std::free(larger);
  return kept ? "ok" : "realloc loses bytes";
}

std::string random_numbers() {
  std::random_device device;
  static_cast<void>(device());
  char bytes[16];
  return ::getentropy(bytes, sizeof bytes) == 0 ? "ok" : "getentropy fails";
}

std::string clocks() {
  timespec pause{0, 1000};
  timespec now{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0) return "clock_gettime fails";
  return ::nanosleep(&pause, nullptr) == 0 ? "ok" : "nanosleep fails";
}

std::string machine() {
  struct sysinfo memory;
  utsname names;
  rlimit limit;
  cpu_set_t cpus;
  if (::sysinfo(&memory) != 0 || ::uname(&names) != 0) return "sysinfo or uname fails";
  if (::getrlimit(RLIMIT_STACK, &limit) != 0) return "getrlimit fails";
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) return "sched_getaffinity fails";
  return std::thread::hardware_concurrency() > 0 ? "ok" : "no CPU";
}

std::string utf8_locale() {
  const locale_t locale = ::newlocale(LC_ALL_MASK, "C.UTF-8", nullptr);
  if (locale == nullptr) return "newlocale fails";
  ::freelocale(locale);
  return "ok";
}

// ---- These fail, and that is all they may do.

std::string missing_file() {
  std::FILE* file = std::fopen("/etc/no-such-library.conf", "r");
  return file == nullptr ? "ok" : "it is there";
}

std::string resolver() {
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo("name.invalid", "80", nullptr, &found);
  return error != 0 ? "ok" : "it resolves";
}

std::string user_name() {
  static_cast<void>(::getpwuid(::getuid()));
  return "ok";
}

std::string terminal() {
  return ::isatty(STDIN_FILENO) == 0 ? "ok" : "a terminal";
}

std::string environment() {
  return std::getenv("PATH") == nullptr && std::getenv("HOME") == nullptr ? "ok" : "not empty";
}

struct Piece {
  std::string_view name;
  std::string (*work)();
};
constexpr Piece pieces[] = {
    {"localtime", local_offset},
    {"charsets", charsets},
    {"thread_pool", thread_pool},
    {"exception_across_threads", exception_across_threads},
    {"thread_exit", thread_exit},
    {"allocations", allocations},
    {"random_numbers", random_numbers},
    {"clocks", clocks},
    {"machine", machine},
    {"utf8_locale", utf8_locale},
    {"missing_file", missing_file},
    {"resolver", resolver},
    {"user_name", user_name},
    {"terminal", terminal},
    {"environment", environment},
};

class LibraryStep final : public Step {
 public:
  Result<void> run(const Input&, Output& output) override {
    for (const Piece& piece : pieces)
      output.bytes += std::string(piece.name) + ": " + piece.work() + "\n";
    return {};
  }
};

constexpr std::string_view input_types[] = {"*/*"};

}  // namespace

extern const Op library_work_op;
const Op library_work_op{
    .name = "library_work",
    .summary = "Does what libraries do, and says piece by piece how that went.",
    .input = input_types,
    .output = "text/plain",
    .compile = compile_plain<LibraryStep>,
};

}  // namespace fetchmill::workers::ops
