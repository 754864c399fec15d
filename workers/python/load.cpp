#include "workers/child_setup.hpp"
#include "workers/fd.hpp"
#include "workers/ops/registry.hpp"
#include "workers/preload.hpp"
#include "workers/python/interpreter.hpp"
#include "workers/python/python_ops.hpp"
#include "workers/python/step.hpp"
#include "workers/wait_for_end.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <simdjson.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::workers::python {
namespace {

using simdjson::dom::element;

// What a process of its own may take to import the modules, and tell about them.
constexpr std::chrono::seconds import_time_max{60};
constexpr std::size_t told_bytes_max = 4 * 1024 * 1024;
// Each is a label value of metrics, and a schema in /openapi.json.
constexpr std::size_t modules_max = 200;

constexpr std::string_view any_media_type[] = {"*/*"};

std::string& directory() {
  static std::string path;
  return path;
}

std::deque<PythonOp>& made_ops() {
  static std::deque<PythonOp> ops;
  return ops;
}

// Op::preload of all of them.
void preload() {
  if (Interpreter::is_started()) return;
  // Told in the answers of workers, should it fail here: it did not in the process that described.
  static_cast<void>(Interpreter::start(directory(), -1));
}

// ---- The process that describes

[[noreturn]] void describe_in_child(const std::string& path, int tell, pid_t parent) {
  // As the spawner will be, in all that importing can tell apart.
  tie_to_parent(parent);
  drop_capabilities();
  const Fd nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere.get(), fd);
  empty_environment();
  const std::string fault = Interpreter::start(path, tell);
  if (!fault.empty()) {
    const std::string line =
        "{\"mistake\":\"" + std::string(fault.substr(0, fault.find_first_of("\"\\\n"))) + "\"}\n";
    [[maybe_unused]] const ssize_t told = ::write(tell, line.data(), line.size());
  }
  ::_exit(exit_ok);
}

// What a process tells until it closes its end, or is out of time, or tells too much.
std::optional<std::string> read_all(int fd) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + import_time_max;
  std::string text;
  char piece[16384];
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd readable{fd, POLLIN, 0};
    if (left.count() <= 0 || text.size() > told_bytes_max) return std::nullopt;
    if (::poll(&readable, 1, static_cast<int>(left.count())) <= 0) continue;
    const ssize_t got = ::read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(piece, static_cast<std::size_t>(got));
  }
}

// ---- What it told

unsigned type_of(std::string_view name) {
  constexpr std::pair<std::string_view, ops::ParamType> types[] = {
      {"string", ops::string_type},
      {"integer", ops::integer_type},
      {"number", ops::number_type},
      {"boolean", ops::boolean_type},
      {"string_list", ops::string_list_type},
      {"string_map", ops::string_map_type},
      {"null", ops::null_type},
  };
  for (const auto& [known, type] : types)
    if (known == name) return type;
  return ops::json_type;
}

std::string_view kept(PythonOp& op, element text) {
  return op.texts.emplace_back(text.get_string().value());
}

// Throws simdjson_error for what is not as runtime.py makes it.
ops::ParamSpec row_of(PythonOp& op, element told) {
  ops::ParamSpec row;
  row.name = kept(op, told["name"]);
  row.types = 0;
  for (const element type : told["types"].get_array()) row.types |= type_of(type.get_string());
  row.may_be_empty = true;
  row.required = told["required"].get_bool();
  row.description = kept(op, told["description"]);
  std::vector<std::string_view>& values = op.choices.emplace_back();
  for (const element value : told["values"].get_array()) values.push_back(kept(op, value));
  row.values = values;
  element fallback;
  if (!told["default"].get(fallback)) row.default_json = kept(op, fallback);
  return row;
}

void make_op(element told) {
  PythonOp& op = made_ops().emplace_back();
  op.module = told["name"].get_string().value();
  op.op_name = "py." + op.module;
  op.summary_text = told["summary"].get_string().value();
  op.output_type = told["output"].get_string().value();
  for (const element parameter : told["parameters"].get_array())
    op.rows.push_back(row_of(op, parameter));
  op.name = op.op_name;
  op.summary = op.summary_text;
  op.params = op.rows;
  op.input = any_media_type;
  op.output = op.output_type;
  op.compile = compile;
  op.takes_any = told["takes_any"].get_bool();
  op.query_prefix = "p.";
  op.preload = preload;
}

struct Told {
  std::string importing;  // last
  bool done = false;
  std::vector<std::string> mistakes;
};

void take_line(std::string_view line, Told& told) {
  simdjson::dom::parser parser;
  const element event = parser.parse(line.data(), line.size());
  element value;
  if (!event["importing"].get(value)) told.importing = value.get_string().value();
  if (!event["mistake"].get(value)) told.mistakes.emplace_back(value.get_string().value());
  if (!event["op"].get(value)) make_op(value);
  if (!event["done"].get(value)) told.done = true;
}

Told understand(std::string_view text) {
  Told told;
  try {
    for (std::size_t end; (end = text.find('\n')) != std::string_view::npos;
         text.remove_prefix(end + 1))
      take_line(text.substr(0, end), told);
  } catch (const simdjson::simdjson_error& error) {
    told.mistakes.push_back("its modules cannot be described: " + std::string(error.what()));
  }
  return told;
}

std::string ending(const std::optional<std::string>& text, int status, const Told& told) {
  std::string what = told.importing.empty() ? "Python" : told.importing + ": importing it";
  if (!text) return what + " took more than " + std::to_string(import_time_max.count()) + " s";
  if (WIFSIGNALED(status)) return what + " ended with signal " + std::to_string(WTERMSIG(status));
  return what + " ended with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::vector<std::string> load_modules(const std::string& path) {
  if (!directory().empty()) return {};
  directory() = path;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {std::string("pipe: ") + std::strerror(errno)};
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return {std::string("fork: ") + std::strerror(errno)};
  // Not one of the standard streams, which it turns away.
  if (pid == 0) describe_in_child(path, ::fcntl(theirs.get(), F_DUPFD_CLOEXEC, 3), parent);
  theirs.reset();
  const std::optional<std::string> text = read_all(ours.get());
  // Whatever it still does is not waited for.
  ::kill(pid, SIGKILL);
  const int status = wait_for_end(pid);
  Told told = understand(text.value_or(""));
  if (!told.done && told.mistakes.empty()) told.mistakes.push_back(ending(text, status, told));
  if (made_ops().size() > modules_max)
    told.mistakes.push_back("there are more than " + std::to_string(modules_max) + " modules");
  if (told.mistakes.empty())
    for (const PythonOp& op : made_ops()) ops::add_op(op);
  return std::move(told.mistakes);
}

}  // namespace fetchmill::workers::python
