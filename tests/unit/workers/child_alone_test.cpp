// Links the child-side code by itself and takes a worker as far as its first answer.
#include "workers/shared_memory.hpp"
#include "workers/spawner.hpp"

#include <cstdio>

#include <poll.h>

namespace {

using namespace fetchmill::workers;

bool run() {
  auto memory = SharedMemory::create({});
  if (!memory) return false;
  auto sandbox = Sandbox::prepare(fetchmill::config::SandboxMode::on);
  if (!sandbox) return false;
  auto spawner = Spawner::start(*memory, *sandbox);
  if (!spawner || !spawner->request({SpawnRequestKind::spawn, 0, 1})) return false;
  pollfd report{spawner->control(), POLLIN, 0};
  if (::poll(&report, 1, 10'000) != 1) return false;
  SpawnerHandle::Received received;
  if (spawner->receive(received) != SpawnerHandle::Receive::report) return false;
  if (received.report.kind != SpawnReportKind::spawned || !received.pidfd) return false;
  pollfd bell{memory->areas[0].bell.get(), POLLIN, 0};
  return ::poll(&bell, 1, 10'000) == 1;
}

}  // namespace

int main() {
  const bool good = run();
  std::puts(good ? "a worker reported for work" : "no worker");
  return good ? 0 : 1;
}
