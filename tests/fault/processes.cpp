#include "tests/fault/processes.hpp"

#include "workers/layout.hpp"

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace fetchmill::tests::fault {
namespace {

std::string proc(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

// Where the worker has its answers mapped; nothing when it is gone or not there yet.
std::optional<std::uint64_t> answers_address(pid_t worker) {
  std::ifstream maps(proc(worker, "maps"));
  for (std::string line; std::getline(maps, line);)
    if (line.find("memfd:answers") != std::string::npos && line.find(" rw-s ") != std::string::npos)
      return std::stoull(line, nullptr, 16);
  return std::nullopt;
}

}  // namespace

std::vector<pid_t> children(pid_t parent) {
  std::ifstream file("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) +
                     "/children");
  std::vector<pid_t> found;
  for (pid_t pid = 0; file >> pid;) found.push_back(pid);
  return found;
}

// NOLINTNEXTLINE(misc-no-recursion)
std::vector<pid_t> descendants(pid_t parent) {
  std::vector<pid_t> found;
  for (const pid_t child : children(parent)) {
    found.push_back(child);
    for (const pid_t grandchild : descendants(child)) found.push_back(grandchild);
  }
  return found;
}

char state_of(pid_t pid) {
  std::ifstream file(proc(pid, "stat"));
  std::string text;
  std::getline(file, text);
  const std::size_t after_name = text.rfind(") ");
  return after_name == std::string::npos ? '-' : text[after_name + 2];
}

bool living(pid_t pid) {
  const char state = state_of(pid);
  return state == 'R' || state == 'S' || state == 'D';
}

std::size_t descriptor_count(pid_t pid) {
  std::error_code error;
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(proc(pid, "fd"), error))
    ++count;
  return count;
}

bool forge_answers(pid_t worker, Random& random) {
  using workers::WorkerPage;
  const std::optional<std::uint64_t> address = answers_address(worker);
  if (!address) return false;
  const int memory = ::open(proc(worker, "mem").c_str(), O_WRONLY | O_CLOEXEC);
  if (memory < 0) return false;
  const auto write_at = [&](std::size_t offset, const auto& word) {
    return ::pwrite(memory, &word, sizeof word, static_cast<off_t>(*address + offset)) ==
           static_cast<ssize_t>(sizeof word);
  };
  bool written = true;
  for (std::size_t i = 0; i < workers::ring_depth; ++i) {
    const std::uint64_t task = random();
    written =
        write_at(offsetof(WorkerPage, answers) + i * sizeof(workers::Answer), task) && written;
  }
  const auto answered = static_cast<std::uint32_t>(random());
  written = write_at(offsetof(WorkerPage, answered), answered) && written;
  ::close(memory);
  return written;
}

}  // namespace fetchmill::tests::fault
