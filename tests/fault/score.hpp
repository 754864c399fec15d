// What the run has seen: answers counted, times kept, and every broken promise with its own text.
//
// Owner: main. Any thread may call it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace fetchmill::tests::fault {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

// The promises. Each broken one fails the run.
enum class Promise : std::uint8_t {
  answered,     // every accepted request gets a complete response
  well_formed,  // and it is HTTP, and JSON where it says so
  once,         // a batch has one outcome per index and a summary
  right,        // the bytes are those of this very task
  named,        // a task that must fail does, and says why
  in_time,      // no outcome long after its deadline
  prompt,       // nearly all outcomes, and answers of replacements, come at once
  honest,       // innocent tasks hardly ever fail because workers were killed
  served,       // right answers come all the while, and hardly a request is refused
  one_server,   // the server's process is the one that was started
  no_leak,      // nothing is held once the load is over
  whole,        // all workers are ready soon after the last shot
  clean_end,    // it stops when told to, and leaves no process
};

class Times {
 public:
  void add(Milliseconds time) { values_.push_back(time.count()); }
  std::size_t count() const { return values_.size(); }
  double at(double quantile);
  double max() { return at(1.0); }
  // p99, which lets one be later where they are fewer than a hundred too.
  double all_but_few();

 private:
  std::vector<double> values_;
};

class Score {
 public:
  void broken(Promise promise, const std::string& what);
  void answer(bool batch_item);
  // An innocent task that failed although nothing was wrong with it.
  void innocent_failure(const std::string& code, const std::string& what);
  void refused();
  // A task that was there to fail did, with this code.
  void culprit(const std::string& code);
  // An outcome that came after its deadline, or because of it.
  void late(Milliseconds late);

  struct Totals {
    std::uint64_t answers = 0;
    std::uint64_t items = 0;  // of them, outcomes of batches
    std::uint64_t refused = 0;
    std::uint64_t innocent_failures = 0;
    std::uint64_t broken = 0;
  };
  Totals totals();
  Times lateness();
  void print();

 private:
  std::mutex mutex_;
  Totals totals_;
  std::map<std::string, std::uint64_t> innocents_;
  std::map<std::string, std::uint64_t> culprits_;
  std::map<Promise, std::uint64_t> broken_;
  Times late_;
};

}  // namespace fetchmill::tests::fault
